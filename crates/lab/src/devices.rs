//! Which device may compute: held against the CPU in a process of its own, remembered, chosen.
//!
//! A driver can take its process down, hang, or compute something else than it was asked to. So before an adapter is
//! first used, and again whenever it or its driver changes, a child process runs [`train::parity`] on it, once with
//! operations fused and once without, and another one with weights in half precision, if it has that. What came of it is
//! kept in the library, and what the backend found out about kernels beside it. [`open`] gives only devices that agreed;
//! `auto` is the fastest of them and the CPU by a measurement that is kept too. A software adapter is checked and used
//! only where it is named.

use crate::child::Children;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::Library;
use crate::remote::{self, Remembered};
use gemma::device::{self, Device, Info, Kind, Parity};
use say::{Both, say};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use train::event::Told;
use train::parity::{self, Difference};

/// The word that makes this program a child that tries a device.
pub(crate) const PROBE: &str = "probe-device";
/// The word that makes it one that tries a device with weights in half precision.
pub(crate) const PROBE_HALVED: &str = "probe-halved";

/// How long the speed of a device is measured.
const MEASURING: Duration = Duration::from_secs(2);

/// Ids of the devices that this process has lost: burn opens a device once in a process, and cannot open it again.
static LOST: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn lost() -> MutexGuard<'static, BTreeSet<String>> {
    LOST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes that this process has lost a device; the processor stays, and another machine can be connected with again.
pub(crate) fn lose(id: &str) {
    if id != "cpu" && !gemma::remote::is_address(id) {
        lost().insert(id.into());
    }
}

/// Whether this process has lost a device.
pub(crate) fn is_lost(id: &str) -> bool {
    lost().contains(id)
}

/// Ids of the real adapters but one that agreed with the processor.
///
/// # Errors
/// If the library cannot be read.
pub(crate) fn others(home: &Home, id: &str) -> Result<Vec<String>> {
    let agreed = |info: &Info| info.kind == Kind::Gpu && info.id != id && passed(info);
    Ok(here(&Library::open(home)?)?.into_iter().filter(agreed).map(|info| info.id).collect())
}

/// What is remembered of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Verdict {
    parity: Parity,
    /// What was found: it may be read in another language than it was found in.
    detail: Told,
    /// Tokens a second, see [`parity::speed`].
    speed: Option<f64>,
    /// Whether it may hold weights in half precision.
    f16: bool,
    /// Version of Lapidary that looked: another one computes in another way.
    version: String,
}

/// What a child found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Probe {
    difference: Difference,
    speed: f64,
}

/// Tries a device in this process: what the child does that [`check`] starts. `kernels` is [`Home::kernels`]; the token of another
/// machine comes by `input`.
///
/// # Errors
/// If there is no such device, or it fails.
pub(crate) fn probe(id: &str, fusion: bool, kernels: &Path, input: impl Read) -> Result<String> {
    device::prepare(fusion, kernels);
    let device = if gemma::remote::is_address(id) { gemma::remote::open(id, &remote::token(input)?)? } else { device::open(id)?.1 };
    said(&Probe { difference: parity::measure(&device)?, speed: parity::speed(&device, MEASURING)? })
}

/// The same with weights in half precision, if the device has it; another machine's is not asked.
///
/// # Errors
/// If there is no such device, or it fails.
pub(crate) fn probe_halved(id: &str, fusion: bool, kernels: &Path) -> Result<String> {
    device::prepare(fusion, kernels);
    let (info, device) = device::open(id)?;
    said(&if info.f16 { Some(parity::measure_halved(&device)?) } else { None })
}

/// What a child found, as it says it.
fn said(found: &impl Serialize) -> Result<String> {
    serde_json::to_string(found).map_err(|e| Error::request(e.to_string()))
}

/// How a device is to be tried.
struct Trial<'a> {
    children: &'a Children,
    home: &'a Home,
    /// Of another machine; empty for those of this one.
    token: &'a str,
    cancel: &'a AtomicBool,
}

impl Trial<'_> {
    /// Lets a child try a device as a word says; the reason where nothing came of it.
    fn of<T: DeserializeOwned>(&self, word: &str, id: &str, fusion: bool) -> std::result::Result<T, String> {
        let kernels = self.home.kernels();
        let words: [&OsStr; 4] = [word.as_ref(), id.as_ref(), if fusion { "fused" } else { "unfused" }.as_ref(), kernels.as_os_str()];
        let said = self.children.answer(&words, self.token, self.cancel).map_err(|e| e.to_string())?;
        serde_json::from_str(said.trim()).map_err(|e| say!("its answer cannot be read: {e}", "la sua risposta non si può leggere: {e}"))
    }
}

/// The devices with what is remembered of them; one of another machine that does not answer now, with the reason.
///
/// # Errors
/// If the library, or what is remembered of other machines, cannot be read.
pub fn list(home: &Home) -> Result<Vec<Info>> {
    let library = Library::open(home)?;
    let mut all = here(&library)?;
    let known = remote::known(home)?;
    if !known.is_empty() {
        all.extend(elsewhere(&library, &known, &Children::own()?, &AtomicBool::new(false))?);
    }
    Ok(all)
}

/// As [`list`] without asking other machines: their devices are what they were when they were last added.
///
/// # Errors
/// As [`list`].
pub fn remembered(home: &Home) -> Result<Vec<Info>> {
    let library = Library::open(home)?;
    let mut all = here(&library)?;
    for own in remote::known(home)? {
        all.push(recall(&library, own.told.info(&own.address))?);
    }
    Ok(all)
}

/// The devices of this machine with what is remembered of them.
fn here(library: &Library) -> Result<Vec<Info>> {
    device::list().into_iter().map(|info| recall(library, info)).collect()
}

/// Devices of other machines as these tell of them now.
fn elsewhere(library: &Library, known: &[Remembered], children: &Children, cancel: &AtomicBool) -> Result<Vec<Info>> {
    let told = remote::ask_all(known, children, cancel);
    told.into_iter().map(|info| if info.detail.is_empty() { recall(library, info) } else { Ok(info) }).collect()
}

/// Whether a device may compute, as far as it is known.
fn passed(info: &Info) -> bool {
    matches!(info.parity, Parity::Pass | Parity::Unfused)
}

/// A device with what is remembered of it.
///
/// # Errors
/// If the library cannot be read.
pub(crate) fn recall(library: &Library, mut info: Info) -> Result<Info> {
    let known = library.verdict(&info.key())?.and_then(|text| serde_json::from_str::<Verdict>(&text).ok());
    if let Some(verdict) = known.filter(|v| v.version == crate::VERSION) {
        (info.parity, info.speed, info.f16) = (verdict.parity, verdict.speed, verdict.f16);
        info.detail = verdict.detail.in_language(say::language()).into();
    }
    if is_lost(&info.id) {
        info.parity = Parity::Refused;
        info.detail = say!(
            "it was lost while it computed; it can be used again once Lapidary was closed and started anew",
            "è andato perso mentre calcolava; si può usare di nuovo dopo aver chiuso e riavviato Lapidary"
        );
    }
    Ok(info)
}

/// Tries a device anew and remembers what came of it. The CPU is the reference; only its speed is measured. Of a device of another
/// machine that cannot be reached nothing is remembered: it is given back unchecked, with the reason.
///
/// # Errors
/// If the library cannot be written, the CPU fails, or `cancel` was set. A device that fails is an answer.
pub fn check(home: &Home, mut info: Info, children: &Children, cancel: &AtomicBool) -> Result<Info> {
    let mut own = None;
    if info.kind == Kind::Remote {
        let known = remote::remembered(home, &info.id)?;
        match remote::ask(&known.address, &known.token, children, cancel) {
            Ok(told) => info = told.info(&known.address),
            Err(reason) => return Ok(Info { parity: Parity::Unchecked, detail: reason, speed: None, ..info }),
        }
        own = Some(known);
    }
    let verdict = if info.kind == Kind::Cpu {
        let speed = parity::speed(&device::open("cpu")?.1, MEASURING)?;
        Verdict { parity: Parity::Pass, detail: Told::default(), speed: Some(speed), f16: false, version: crate::VERSION.into() }
    } else {
        let trial = Trial { children, home, token: own.as_ref().map_or("", |known| known.token.as_str()), cancel };
        let tried = [true, false].map(|fusion| trial.of::<Probe>(PROBE, &info.id, fusion));
        let verdict = judge(&tried[0], &tried[1]);
        let verdict = match verdict.parity {
            Parity::Pass | Parity::Unfused if info.kind != Kind::Remote => {
                let halved = trial.of::<Option<Difference>>(PROBE_HALVED, &info.id, verdict.parity == Parity::Pass);
                with_halved(verdict, &halved)
            }
            _ => verdict,
        };
        if cancel.load(Ordering::Relaxed) {
            // that it was not waited for says nothing against the device
            return Err(Error::request(say!(
                "{} was not compared with the processor to the end; try again",
                "il confronto di {} con il processore non è arrivato alla fine; riprova",
                info.name
            )));
        }
        if verdict.parity == Parity::Refused
            && let Some(Err(reason)) = own.map(|known| remote::ask(&known.address, &known.token, children, cancel))
        {
            // a machine that has gone away has not computed wrongly
            return Ok(Info { detail: reason, ..info });
        }
        verdict
    };
    let text = serde_json::to_string(&verdict).map_err(|e| Error::request(e.to_string()))?;
    let library = Library::open(home)?;
    library.put_verdict(&info.key(), &text)?;
    recall(&library, info)
}

/// How far a device was from the CPU in a trial, or why nothing came of it.
fn sentence(what: &str, tried: std::result::Result<&Difference, &String>) -> String {
    match tried {
        Ok(d) => say!(
            "{what}: loss within {:.0e}, {} gradients within {:.0e} of the CPU's ({})",
            "{what}: perdita entro {:.0e}, {} gradienti entro {:.0e} da quelli della CPU ({})",
            d.loss,
            d.gradients,
            d.gradient,
            d.at.in_language(say::language())
        ),
        Err(reason) => format!("{what}: {reason}"),
    }
}

/// What follows from trying a device with fused operations and without.
fn judge(fused: &std::result::Result<Probe, String>, unfused: &std::result::Result<Probe, String>) -> Verdict {
    let told = |what: &str, tried: &std::result::Result<Probe, String>| sentence(what, tried.as_ref().map(|p| &p.difference));
    let agrees = |tried: &std::result::Result<Probe, String>| tried.as_ref().is_ok_and(|p| p.difference.within());
    let (parity, used) = match (agrees(fused), agrees(unfused)) {
        (true, _) => (Parity::Pass, fused.as_ref().ok()),
        (false, true) => (Parity::Unfused, unfused.as_ref().ok()),
        (false, false) => (Parity::Refused, None),
    };
    let detail = || format!("{}; {}", told(say::pick("fused", "fuso"), fused), told(say::pick("not fused", "non fuso"), unfused));
    Verdict { parity, detail: Both::of(detail).into(), speed: used.map(|p| p.speed), f16: false, version: crate::VERSION.into() }
}

/// What follows besides from trying it with weights in half precision, if it has that.
fn with_halved(verdict: Verdict, halved: &std::result::Result<Option<Difference>, String>) -> Verdict {
    let Some(tried) = halved.as_ref().map(Option::as_ref).transpose() else { return verdict };
    let f16 = tried.is_ok_and(Difference::within);
    let detail = || {
        let known = verdict.detail.in_language(say::language());
        let told = sentence(say::pick("half precision", "mezza precisione"), tried);
        let so = if f16 { "" } else { say::pick(", so weights stay in f32", ", perciò i pesi restano in f32") };
        format!("{known}; {told}{so}")
    };
    Verdict { detail: Both::of(detail).into(), f16, ..verdict }
}

/// A device with what is known of it, checked if it has not been, in the library's word for it: `auto` becomes the
/// fastest device that agrees with the CPU. `on_check` is told of a check before it begins, as it takes a while; `cancel`
/// ends it.
///
/// # Errors
/// If there is no such device, another machine does not answer, or as [`check`].
pub fn find(home: &Home, id: &str, children: &Children, on_check: &mut dyn FnMut(&Info), cancel: &AtomicBool) -> Result<Info> {
    choose(home, id, true, children, on_check, cancel)
}

/// [`find`] among the devices of this machine alone.
///
/// # Errors
/// As [`find`].
pub fn find_here(home: &Home, id: &str, children: &Children, on_check: &mut dyn FnMut(&Info), cancel: &AtomicBool) -> Result<Info> {
    choose(home, id, false, children, on_check, cancel)
}

/// [`find`], among those of other machines too if `beyond`.
fn choose(home: &Home, id: &str, beyond: bool, children: &Children, on_check: &mut dyn FnMut(&Info), cancel: &AtomicBool) -> Result<Info> {
    let mut known = |info: Info, measured: bool| {
        if info.parity != Parity::Unchecked && (info.speed.is_some() || !measured) {
            return Ok(info);
        }
        on_check(&info);
        check(home, info, children, cancel)
    };
    if id == "cpu" {
        return Ok(device::open(id)?.0);
    }
    let library = Library::open(home)?;
    if beyond && gemma::remote::is_address(id) {
        let own = remote::remembered(home, id)?;
        let told = remote::ask(&own.address, &own.token, children, cancel).map_err(Error::Request)?;
        let info = known(recall(&library, told.info(&own.address))?, false)?;
        // it went away meanwhile
        return if info.parity == Parity::Unchecked { Err(Error::Request(info.detail)) } else { Ok(info) };
    }
    let mut all = here(&library)?;
    if id != "auto" {
        let named = all.iter().find(|i| if id == "gpu" { i.kind == Kind::Gpu } else { i.id == id });
        let info = named.ok_or_else(|| gemma::Error::Device {
            device: id.into(),
            what: say!("is not on this machine; `lapidary devices` lists what is", "non è su questo computer; `lapidary devices` elenca quelli presenti"),
        })?;
        return known(info.clone(), false);
    }
    if beyond {
        // those that have agreed before are asked whether they still are what they were
        let mut agreed = Vec::new();
        for own in remote::known(home)? {
            if passed(&recall(&library, own.told.info(&own.address))?) {
                agreed.push(own);
            }
        }
        all.extend(elsewhere(&library, &agreed, children, cancel)?.into_iter().filter(passed));
    }
    let (cpu, others): (Vec<Info>, Vec<Info>) =
        all.into_iter().filter(|i| i.kind != Kind::Software && i.parity != Parity::Refused).partition(|i| i.kind == Kind::Cpu);
    if others.is_empty() {
        // nothing to choose from, so nothing is measured
        return cpu.into_iter().next().map_or_else(|| Ok(device::open("cpu")?.0), Ok);
    }
    let mut candidates = Vec::new();
    for info in cpu.into_iter().chain(others) {
        let info = known(info, true)?;
        if passed(&info) {
            candidates.push(info);
        }
    }
    let fastest = candidates.into_iter().max_by(|a, b| a.speed.unwrap_or(0.0).total_cmp(&b.speed.unwrap_or(0.0)));
    fastest.map_or_else(|| Ok(device::open("cpu")?.0), Ok)
}

/// Opens a device that may compute, see [`find`].
///
/// # Errors
/// If there is no such device, it does not compute what the CPU computes, or this process has already opened one that
/// needs other settings.
pub fn open(home: &Home, id: &str) -> Result<(Info, Device)> {
    open_until(home, id, &AtomicBool::new(false))
}

/// As [`open`], until `cancel` is set.
///
/// # Errors
/// As [`open`], or if it was ended.
pub(crate) fn open_until(home: &Home, id: &str, cancel: &AtomicBool) -> Result<(Info, Device)> {
    opened(home, find(home, id, &Children::own()?, &mut |_| {}, cancel)?)
}

/// [`open`] among the devices of this machine alone.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_here(home: &Home, id: &str) -> Result<(Info, Device)> {
    opened(home, find_here(home, id, &Children::own()?, &mut |_| {}, &AtomicBool::new(false))?)
}

fn opened(home: &Home, info: Info) -> Result<(Info, Device)> {
    let fail = |what: String| Error::from(gemma::Error::Device { device: info.id.clone(), what });
    match info.parity {
        Parity::Refused => {
            return Err(fail(say!(
                "cannot be used ({}); use --device cpu, or update the driver and run `lapidary devices --check`",
                "non si può usare ({}); usa --device cpu, oppure aggiorna il driver ed esegui `lapidary devices --check`",
                info.detail
            )));
        }
        Parity::Pass | Parity::Unfused | Parity::Unchecked => {}
    }
    if info.kind != Kind::Cpu && !device::prepare(info.parity != Parity::Unfused, &home.kernels()) {
        return Err(fail(say!(
            "needs other settings than the device that was used before it; close Lapidary and start it again",
            "richiede altre impostazioni rispetto al dispositivo usato prima; chiudi Lapidary e riavvialo"
        )));
    }
    let device = match info.kind {
        Kind::Remote => gemma::remote::open(&info.id, &remote::remembered(home, &info.id)?.token)?,
        Kind::Cpu | Kind::Gpu | Kind::Software => device::open(&info.id)?.1,
    };
    Ok((info, device))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Children that run a shell script.
    fn children(dir: &Path, script: &str, patience: Duration) -> Children {
        let program = dir.join("child");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        Children { program, patience }
    }

    fn adapter() -> Info {
        Info { id: "gpu:0".into(), kind: Kind::Gpu, parity: Parity::Unchecked, ..device::list().remove(0) }
    }

    fn answer(loss: f64, gradient: f64) -> String {
        let difference = Difference { loss, gradient, at: Told { en: "layers.0".into(), it: "layers.0".into() }, gradients: 9 };
        serde_json::to_string(&Probe { difference, speed: 70.0 }).expect("JSON")
    }

    /// What is said of a device whose child behaves like the script, and is remembered.
    fn verdict(script: &str) -> Info {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(dir.path())).expect("a home");
        let found = check(&home, adapter(), &children(dir.path(), script, Duration::from_secs(2)), &AtomicBool::new(false)).expect("an answer");
        let again = recall(&Library::open(&home).expect("a library"), adapter()).expect("remembered");
        assert_eq!(found, again);
        found
    }

    #[test]
    fn a_device_that_crashes_hangs_fails_or_talks_nonsense_is_refused_with_the_reason() {
        for (script, reason) in [
            ("kill -SEGV $$", "its process crashed (signal 11)"),
            ("exec sleep 60", "it did not answer within 2 s"),
            ("echo out of memory >&2; exit 1", "fused: out of memory"),
            ("echo a good day", "its answer cannot be read"),
        ] {
            let info = verdict(script);
            assert_eq!(info.parity, Parity::Refused, "{script}");
            assert!(info.detail.contains(reason), "{script}: {}", info.detail);
            assert_eq!(info.speed, None);
        }
    }

    /// What passed on the disk does not open again in this process; the processor is never lost.
    #[test]
    fn a_device_that_was_lost_is_refused_from_then_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let library = Library::open(&Home::open(Some(dir.path())).expect("a home")).expect("a library");
        let passed = |id: &str| recall(&library, Info { id: id.into(), parity: Parity::Pass, ..adapter() }).expect("an answer");
        assert!(passed("gpu:77").parity != Parity::Refused && !is_lost("gpu:77"));
        lose("gpu:77");
        lose("cpu");
        let lost = passed("gpu:77");
        assert!(lost.parity == Parity::Refused && lost.detail.contains("started anew"), "{}", lost.detail);
        assert!(is_lost("gpu:77") && !is_lost("gpu:78") && !is_lost("cpu"));
    }

    #[test]
    fn a_check_that_nobody_waits_for_ends_and_says_nothing_against_the_device() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(dir.path())).expect("a home");
        let children = children(dir.path(), "exec sleep 60", Duration::from_secs(30));
        let (cancel, begun) = (AtomicBool::new(false), std::time::Instant::now());
        let outcome = std::thread::scope(|scope| {
            let checking = scope.spawn(|| check(&home, adapter(), &children, &cancel));
            std::thread::sleep(Duration::from_millis(100));
            cancel.store(true, Ordering::Relaxed);
            checking.join().expect("no crash")
        });
        assert!(outcome.is_err_and(|e| e.to_string().contains("try again")) && begun.elapsed() < Duration::from_secs(20));
        assert_eq!(recall(&Library::open(&home).expect("a library"), adapter()).expect("read").parity, Parity::Unchecked);
    }

    #[test]
    fn numbers_decide_between_pass_without_fusion_and_refusal() {
        let both = |fused: &str, unfused: &str| verdict(&format!("case $3 in fused) echo '{fused}';; unfused) echo '{unfused}';; esac"));
        let (good, bad) = (answer(1e-6, 4e-4), answer(1e-6, 0.3));
        assert_eq!(both(&good, &good).parity, Parity::Pass);
        let without = both(&bad, &good);
        assert_eq!((without.parity, without.speed), (Parity::Unfused, Some(70.0)));
        let refused = both(&bad, &bad);
        assert_eq!(refused.parity, Parity::Refused);
        assert!(refused.detail.contains("gradients within 3e-1"), "{}", refused.detail);
    }

    #[test]
    fn what_was_found_is_kept_in_both_languages() {
        let tried = |gradient| Ok(serde_json::from_str::<Probe>(&answer(1e-6, gradient)).expect("a probe"));
        let found = with_halved(judge(&tried(0.3), &tried(1e-4)), &Err("rotto".into())).detail;
        assert!(
            found.en.starts_with("fused: loss within 1e-6, 9 gradients within 3e-1") && found.en.ends_with("half precision: rotto, so weights stay in f32"),
            "{found:?}"
        );
        assert!(
            found.it.starts_with("fuso: perdita entro 1e-6, 9 gradienti entro 3e-1")
                && found.it.ends_with("mezza precisione: rotto, perciò i pesi restano in f32"),
            "{found:?}"
        );
    }

    #[test]
    fn weights_are_halved_only_where_a_device_agrees_with_them_so() {
        let with = |script: &str| {
            let dir = tempfile::tempdir().expect("a folder");
            let home = Home::open(Some(dir.path())).expect("a home");
            let whole = answer(1e-6, 4e-4);
            let script = format!("case $1 in probe-device) echo '{whole}';; probe-halved) {script};; esac");
            check(&home, adapter(), &children(dir.path(), &script, Duration::from_secs(20)), &AtomicBool::new(false)).expect("an answer")
        };
        let halved = |gradient: f64| {
            let difference = Difference { loss: 1e-6, gradient, at: Told::default(), gradients: 9 };
            format!("echo '{}'", serde_json::to_string(&difference).expect("JSON"))
        };
        let good = with(&halved(1e-4));
        assert!(good.f16 && good.parity == Parity::Pass && good.detail.contains("half precision: loss within 1e-6"), "{}", good.detail);
        for (script, reason) in [(halved(0.5), "gradients within 5e-1"), ("echo a kernel broke >&2; exit 1".into(), "a kernel broke")] {
            let bad = with(&script);
            assert!(!bad.f16 && bad.parity == Parity::Pass && bad.detail.ends_with("so weights stay in f32"), "{}", bad.detail);
            assert!(bad.detail.contains(reason), "{}", bad.detail);
        }
        let without = with("echo null");
        assert!(!without.f16 && !without.detail.contains("half precision"), "{}", without.detail);
    }

    #[test]
    fn another_driver_or_another_version_is_checked_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(dir.path())).expect("a home");
        let good = answer(0.0, 0.0);
        let children = children(dir.path(), &format!("echo '{good}'"), Duration::from_secs(20));
        assert_eq!(check(&home, adapter(), &children, &AtomicBool::new(false)).expect("checked").parity, Parity::Pass);
        let library = Library::open(&home).expect("a library");
        let updated = Info { driver: "newer".into(), ..adapter() };
        assert_eq!(recall(&library, updated).expect("read").parity, Parity::Unchecked);
        let old = Verdict { parity: Parity::Pass, detail: Told::default(), speed: None, f16: false, version: "0.0.0".into() };
        library.put_verdict(&adapter().key(), &serde_json::to_string(&old).expect("JSON")).expect("written");
        assert_eq!(recall(&library, adapter()).expect("read").parity, Parity::Unchecked);
    }
}
