//! Devices of other machines: those that this one remembers, and the one that it serves.
//!
//! Nothing listens before [`Serving`] is made, and nothing connects before a device was added by its address and token. What
//! was added is in a file of the home folder that is its owner's alone, and a token goes from there nowhere but to the
//! machine that it is of: no run, event, report or list holds it. What another machine tells is asked in a process of its
//! own, as it may take its time or tell nonsense; only who computes there connects in this one.

use crate::child::{Children, Failed};
use crate::command::typed;
use crate::devices;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::job::caught;
use crate::library::Library;
use crate::watch::cancelled;
use gemma::device::{Device, Info};
use gemma::remote::{self, Told};
use say::say;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use train::failure::{self, Failure};

/// The word that makes this program a child that asks another machine what it serves.
pub(crate) const ASK: &str = "ask-device";

/// Where a device is served unless something else is asked for: reached from this machine alone.
pub const LISTEN: &str = "127.0.0.1:7370";

/// How long the answer may take: the child has its own limits for each step of it.
const ASKING: Duration = Duration::from_secs(15);

/// A device of another machine that was added.
pub(crate) struct Remembered {
    /// Where it is served.
    pub address: String,
    /// What lets this machine compute there.
    pub token: String,
    /// What it told when it was added.
    pub told: Told,
}

/// How it is written down, under its address.
#[derive(Serialize, Deserialize)]
struct Written {
    token: String,
    device: Told,
}

fn read(home: &Home) -> Result<BTreeMap<String, Written>> {
    let path = home.remote_devices();
    match std::fs::read(&path) {
        // what the parser says of it may hold a token
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|_| {
            Error::request(say!(
                "{}: is damaged; remove it, and add the devices of other machines again",
                "{}: è danneggiato; eliminalo, e aggiungi di nuovo i dispositivi di altri computer",
                path.display()
            ))
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(Error::io(&path, e)),
    }
}

/// Changes what is written down, while no other process does.
fn change(home: &Home, change: impl FnOnce(&mut BTreeMap<String, Written>)) -> Result<()> {
    let path = home.remote_devices();
    let lock = path.with_extension("lock");
    let held = File::create(&lock).and_then(|file| file.lock().map(|()| file));
    // let go of at the end
    let _held = held.map_err(|e| Error::io(&lock, e))?;
    let mut all = read(home)?;
    change(&mut all);
    let bytes = serde_json::to_vec_pretty(&all).map_err(|e| Error::request(e.to_string()))?;
    gemma::file::write_privately(&path, &bytes).map_err(|e| Error::io(&path, e))
}

/// An address as it is remembered: names of machines have no capitals.
fn plain(address: &str) -> Result<String> {
    if remote::is_address(address) {
        return Ok(address.to_ascii_lowercase());
    }
    Err(Error::request(say!(
        "{address} is no address of another machine; write its name or number and the port, such as workstation:7370",
        "{address} non è l’indirizzo di un altro computer; scrivi il suo nome o numero e la porta, per esempio workstation:7370"
    )))
}

/// All devices of other machines that were added.
///
/// # Errors
/// If the file of them is damaged or cannot be read.
pub(crate) fn known(home: &Home) -> Result<Vec<Remembered>> {
    Ok(read(home)?.into_iter().map(|(address, own)| Remembered { address, token: own.token, told: own.device }).collect())
}

/// One of them.
///
/// # Errors
/// If it was not added, or as [`known`].
pub(crate) fn remembered(home: &Home, address: &str) -> Result<Remembered> {
    let address = plain(address)?;
    known(home)?.into_iter().find(|own| own.address == address).ok_or_else(|| {
        Error::request(say!(
            "no device of another machine was added as {address}; add it with lapidary devices --add",
            "nessun dispositivo di un altro computer è stato aggiunto come {address}; aggiungilo con lapidary devices --add"
        ))
    })
}

/// Adds the device that is served at an address, after asking it what it is; or gives it another token. What is known of it.
///
/// # Errors
/// If the address is none, nothing answers there, the token is not the right one, it was ended, or the disk refuses.
pub fn add(home: &Home, address: &str, token: &str, children: &Children, cancel: &AtomicBool) -> Result<Info> {
    let (address, token) = (plain(address)?, token.trim().to_string());
    let device = ask(&address, &token, children, cancel).map_err(Error::Request)?;
    // it may have answered in the moment in which it was ended
    if cancel.load(Ordering::Relaxed) {
        return Err(cancelled());
    }
    let info = device.info(&address);
    change(home, |all| drop(all.insert(address, Written { token, device })))?;
    devices::recall(&Library::open(home)?, info)
}

/// Forgets a device of another machine.
///
/// # Errors
/// If it was not added, or the disk refuses.
pub fn remove(home: &Home, address: &str) -> Result<()> {
    let own = remembered(home, address)?;
    change(home, |all| drop(all.remove(&own.address)))
}

/// What a machine tells of its device; the reason, with the address, where it tells nothing.
pub(crate) fn ask(address: &str, token: &str, children: &Children, cancel: &AtomicBool) -> std::result::Result<Told, String> {
    let children = Children { patience: ASKING.min(children.patience), ..children.clone() };
    let said = children.answer(&[ASK.as_ref(), address.as_ref()], token, cancel).map_err(|failed| match failed {
        // it names the address itself
        Failed::Because { ended, last } if ended.is_empty() => last,
        other => say!("{address}: {other}; see what `lapidary serve` says there", "{address}: {other}; guarda che cosa dice lì `lapidary serve`"),
    })?;
    serde_json::from_str(said.trim()).map_err(|_| say!("{address}: its answer cannot be read", "{address}: la sua risposta non si può leggere"))
}

/// [`ask`] of several machines at once; one that tells nothing is what it was when it was added, with the reason.
pub(crate) fn ask_all(known: &[Remembered], children: &Children, cancel: &AtomicBool) -> Vec<Info> {
    let told = |own: &Remembered| match ask(&own.address, &own.token, children, cancel) {
        Ok(told) => told.info(&own.address),
        Err(reason) => Info { detail: reason, ..own.told.info(&own.address) },
    };
    std::thread::scope(|scope| {
        let asked: Vec<_> = known.iter().map(|own| scope.spawn(move || told(own))).collect();
        asked.into_iter().filter_map(|one| one.join().ok()).collect()
    })
}

/// Asks in this process: what the child does that [`ask`] starts. The token comes by `input`.
///
/// # Errors
/// If nothing answers there, or not as Lapidary does.
pub(crate) fn answer(address: &str, input: impl Read) -> Result<String> {
    let told = remote::about(&remote::open(address, &token(input)?)?)?;
    serde_json::to_string(&told).map_err(|e| Error::request(e.to_string()))
}

/// The token that a child, or a command, is given by its input.
///
/// # Errors
/// If it cannot be read.
pub fn token(mut input: impl Read) -> Result<String> {
    let mut text = String::new();
    input.read_to_string(&mut text).map_err(|e| Error::request(say!("the token cannot be read: {e}", "il token non si può leggere: {e}")))?;
    Ok(text)
}

/// Does work on a device. Where that is another machine's and gives out meanwhile, by an error or by a crash of what waits for
/// it, the error says so; `run` is the folder of a run that can be gone on with.
///
/// # Errors
/// The work's own, or that the other machine was lost.
pub(crate) fn minding<T>(device: &Device, run: Option<&Path>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    if remote::address(device).is_none() {
        return work();
    }
    caught(work).map_err(|error| instead(device, run, error))
}

/// What became of a device that failed, if it is another machine's, which was lost.
pub(crate) fn became(device: &Device) -> Option<Failure> {
    let address = remote::address(device).filter(|_| remote::lost(device))?;
    let what = say!(
        "the connection to {address} broke off; see what `lapidary serve` says there",
        "la connessione con {address} si è interrotta; guarda che cosa dice lì `lapidary serve`"
    );
    Some(Failure { kind: failure::Kind::Lost, what, bytes: None })
}

/// That the other machine whose device failed was lost, if it was and the error does not say so; else the error itself.
pub(crate) fn instead(device: &Device, run: Option<&Path>, error: Error) -> Error {
    if matches!(error, Error::Waits(_)) {
        return error;
    }
    // before its first checkpoint there is nothing to go on from
    let run = run.filter(|run| !train::checkpoint::list(&run.join(crate::run::CHECKPOINTS)).is_empty());
    let Some(address) = remote::address(device).filter(|_| remote::lost(device)) else { return error };
    Error::request(match run {
        Some(run) => say!(
            "the connection to {address} was lost; see what `lapidary serve` says there, and go on with it: lapidary resume {}",
            "la connessione con {address} è andata persa; guarda che cosa dice lì `lapidary serve`, e riprendila: lapidary resume {}",
            typed(run)
        ),
        None => say!(
            "the connection to {address} was lost; see what `lapidary serve` says there, and try again",
            "la connessione con {address} è andata persa; guarda che cosa dice lì `lapidary serve`, e riprova"
        ),
    })
}

/// The token that lets other machines compute here; made where there is none, or `new` is wanted.
fn served_token(home: &Home, new: bool) -> Result<String> {
    let path = home.served_token();
    let kept = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().to_string(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(Error::io(&path, e)),
    };
    if !new && !kept.is_empty() {
        return Ok(kept);
    }
    let token = remote::new_token()?;
    gemma::file::write_privately(&path, token.as_bytes()).map_err(|e| Error::io(&path, e))?;
    Ok(token)
}

/// Whether this build has devices of other machines; asked before anything is promised or written for them.
///
/// # Errors
/// If it has none, with how to build one that has.
pub fn available() -> Result<()> {
    Ok(remote::available()?)
}

/// A device of this machine that others are about to compute on.
pub struct Serving {
    /// Where it is served.
    pub address: SocketAddr,
    /// The device.
    pub info: Info,
    /// What lets another machine compute here. It is shown once, to who serves.
    pub token: String,
    device: Device,
    listener: TcpListener,
}

impl Serving {
    /// Opens a device that may compute, and listens at `address`, where port 0 is any that is free. `new` makes another token.
    ///
    /// # Errors
    /// If the device may not compute (see [`devices::open`]), nothing can listen there, or the disk refuses.
    pub fn open(home: &Home, device: &str, address: &str, new: bool) -> Result<Self> {
        let (info, device) = devices::open_here(home, device)?;
        let listen = || -> std::io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind(address)?;
            let bound = listener.local_addr()?;
            Ok((listener, bound))
        };
        let (listener, bound) = listen().map_err(|e| {
            Error::request(say!(
                "{address}: nothing can listen there ({}); name another address and port with --listen, such as 0.0.0.0:7370",
                "{address}: lì non si può mettersi in ascolto ({}); indica un altro indirizzo e una porta con --listen, per esempio 0.0.0.0:7370",
                say::system(&e)
            ))
        })?;
        Ok(Self { address: bound, token: served_token(home, new)?, info, device, listener })
    }

    /// Serves until what it gives is dropped.
    ///
    /// # Errors
    /// If the network fails.
    pub async fn run(self) -> Result<()> {
        let Self { info, token, device, listener, .. } = self;
        remote::serve(&device, &Told::of(&info, crate::VERSION), &token, listener)?.await?;
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use gemma::device::{Kind, Parity};
    use std::os::unix::fs::PermissionsExt;

    /// Children that tell of a device and compute as the shell says.
    fn children(dir: &Path, ask: &str, probe: &str) -> Children {
        let program = dir.join("child");
        std::fs::write(&program, format!("#!/bin/sh\ncase $1 in {ASK}) {ask};; *) {probe};; esac\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
        Children { program, patience: Duration::from_secs(20) }
    }

    fn told(name: &str) -> String {
        let told = Told { name: name.into(), api: "Vulkan".into(), driver: "d 1".into(), memory_bytes: None, version: crate::VERSION.into() };
        format!("echo '{}'", serde_json::to_string(&told).expect("JSON"))
    }

    /// What a child says that found agreement, at a speed that no processor has.
    const AGREES: &str = r#"echo '{"difference":{"loss":0.0,"gradient":0.0,"at":{"en":"","it":""},"gradients":9},"speed":1e12}'"#;
    const DISAGREES: &str = r#"echo '{"difference":{"loss":1.0,"gradient":0.0,"at":{"en":"","it":""},"gradients":9},"speed":1e12}'"#;
    static NEVER: AtomicBool = AtomicBool::new(false);

    fn home(dir: &Path) -> Home {
        Home::open(Some(&dir.join("home"))).expect("a home")
    }

    fn find(home: &Home, id: &str, children: &Children) -> Result<Info> {
        devices::find(home, id, children, &mut |_| {}, &NEVER)
    }

    #[test]
    fn what_is_added_is_its_owners_alone_and_is_forgotten_when_it_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let (home, children) = (home(dir.path()), children(dir.path(), "cat > \"$0.token\"", ""));
        // a child that tells nothing: nothing is remembered
        assert!(add(&home, "w:1", "secret", &children, &NEVER).is_err() && !home.remote_devices().exists());
        assert_eq!(std::fs::read_to_string(dir.path().join("child.token")).expect("given by its input"), "secret");
        let children = self::children(dir.path(), &told("Radeon"), "");
        add(&home, "WorkStation:7370", " secret\n", &children, &NEVER).expect("added");
        let mode = std::fs::metadata(home.remote_devices()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let own = remembered(&home, "workstation:7370").expect("remembered");
        assert_eq!((own.token.as_str(), own.told.name.as_str()), ("secret", "Radeon"));
        for wrong in ["gpu:0", "workstation", "workstation:0", "ws://workstation:1"] {
            assert!(add(&home, wrong, "secret", &children, &NEVER).is_err_and(|e| e.to_string().contains("workstation:7370")), "{wrong}");
        }
        remove(&home, "WORKSTATION:7370").expect("removed");
        assert!(known(&home).expect("read").is_empty());
        assert!(remove(&home, "workstation:7370").is_err_and(|e| e.to_string().contains("--add")));
        std::fs::write(home.remote_devices(), r#"{"w:1": "secret"}"#).expect("written");
        assert!(known(&home).is_err_and(|e| e.to_string().contains("damaged") && !e.to_string().contains("secret")));
    }

    #[test]
    fn a_device_of_another_machine_is_tried_by_name_and_chosen_by_itself_only_after_that() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = home(dir.path());
        let children = |name: &str, probe: &str| children(dir.path(), &told(name), probe);
        add(&home, "w:1", "secret", &children("Radeon", AGREES), &NEVER).expect("added");
        let kind = |children: &Children| find(&home, "auto", children).expect("a device").kind;
        assert_ne!(kind(&children("Radeon", AGREES)), Kind::Remote);
        let info = find(&home, "W:1", &children("Radeon", AGREES)).expect("tried");
        assert_eq!((info.id.as_str(), info.kind, info.parity, info.api.as_str()), ("w:1", Kind::Remote, Parity::Pass, "burn remote"));
        assert_eq!(kind(&children("Radeon", AGREES)), Kind::Remote);
        // another device there, which is not that of before
        assert_ne!(kind(&children("GeForce", AGREES)), Kind::Remote);
        assert_eq!(find(&home, "w:1", &children("GeForce", DISAGREES)).expect("tried").parity, Parity::Refused);
        assert_eq!(find(&home, "w:1", &children("Radeon", "exit 1")).expect("remembered").parity, Parity::Pass);
    }

    #[test]
    fn a_machine_that_does_not_answer_is_told_and_nothing_is_remembered_against_it() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = home(dir.path());
        add(&home, "w:1", "secret", &children(dir.path(), &told("Radeon"), ""), &NEVER).expect("added");
        let gone = children(dir.path(), "echo w:1 is gone >&2; exit 1", "echo it broke off >&2; exit 1");
        assert!(find(&home, "w:1", &gone).is_err_and(|e| e.to_string() == "w:1 is gone"));
        let listed = ask_all(&known(&home).expect("read"), &gone, &NEVER);
        assert_eq!((listed[0].name.as_str(), listed[0].detail.as_str(), listed[0].parity), ("Radeon", "w:1 is gone", Parity::Unchecked));
        let checked = devices::check(&home, listed[0].clone(), &gone, &NEVER).expect("an answer");
        assert_eq!((checked.parity, checked.detail.as_str()), (Parity::Unchecked, "w:1 is gone"));
        // it goes away while it is tried: its first answer is its last
        let once = format!("if mkdir \"$0.asked\" 2>/dev/null; then {}; else echo w:1 is gone >&2; exit 1; fi", told("Radeon"));
        let leaving = children(dir.path(), &once, "echo it broke off >&2; exit 1");
        let checked = devices::check(&home, listed[0].clone(), &leaving, &NEVER).expect("an answer");
        assert_eq!((checked.parity, checked.detail.as_str()), (Parity::Unchecked, "w:1 is gone"));
        // and one that stays but cannot compute is refused
        let broken = children(dir.path(), &told("Radeon"), "echo it broke off >&2; exit 1");
        assert_eq!(devices::check(&home, listed[0].clone(), &broken, &NEVER).expect("an answer").parity, Parity::Refused);
    }

    #[test]
    fn a_machine_that_nobody_waits_for_is_not_added() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = home(dir.path());
        // it answers never: only who stops waiting ends it
        let silent = children(dir.path(), "echo asked > \"$0.asked\"; exec sleep 60", "");
        let cancel = AtomicBool::new(false);
        let outcome = std::thread::scope(|scope| {
            let adding = scope.spawn(|| add(&home, "w:1", "secret", &silent, &cancel));
            while !dir.path().join("child.asked").exists() && !adding.is_finished() {
                std::thread::yield_now();
            }
            cancel.store(true, Ordering::Relaxed);
            adding.join().expect("no crash")
        });
        assert!(outcome.is_err_and(|e| e.to_string().contains("no longer wanted")));
        assert!(known(&home).expect("read").is_empty() && !home.remote_devices().exists());
        // and one that answers as it is ended is not added either
        assert!(add(&home, "w:1", "secret", &children(dir.path(), &told("Radeon"), ""), &AtomicBool::new(true)).is_err());
        assert!(known(&home).expect("read").is_empty());
    }

    #[test]
    fn what_is_remembered_is_told_without_asking_anybody() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = home(dir.path());
        add(&home, "w:1", "secret", &children(dir.path(), &told("Radeon"), ""), &NEVER).expect("added");
        let elsewhere = |all: Vec<Info>| all.into_iter().filter(|info| info.kind == Kind::Remote).collect::<Vec<_>>();
        let remembered = elsewhere(devices::remembered(&home).expect("read"));
        // nothing listens at w:1, which who asked there would be told
        assert_eq!(remembered.iter().map(|info| (info.id.as_str(), info.name.as_str(), info.detail.as_str())).collect::<Vec<_>>(), [("w:1", "Radeon", "")]);
        assert_eq!(remembered[0].parity, Parity::Unchecked);
    }

    #[test]
    fn the_token_that_is_served_by_stays_until_another_is_wanted() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = home(dir.path());
        let first = served_token(&home, false).expect("made");
        assert_eq!(served_token(&home, false).expect("kept"), first);
        let second = served_token(&home, true).expect("made");
        assert!(second != first && served_token(&home, false).expect("kept") == second);
        assert_eq!(std::fs::metadata(home.served_token()).expect("there").permissions().mode() & 0o777, 0o600);
        // one at a time listens
        let serving = Serving::open(&home, "cpu", "127.0.0.1:0", false).expect("the processor");
        assert!(serving.address.port() != 0 && serving.token == second && serving.info.kind == Kind::Cpu);
        let taken = serving.address.to_string();
        let refused = Serving::open(&home, "cpu", &taken, false).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(refused.contains(&taken) && refused.contains("--listen"), "{refused}");
        let beyond = Serving::open(&home, "w:1", "127.0.0.1:0", false).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(beyond.contains("is not on this machine"), "{beyond}");
    }
}
