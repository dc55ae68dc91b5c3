//! Another machine as a device, and this one as another's: burn's remote backend over WebSocket.
//!
//! The machine that serves computes what it is sent on a device of its own ([`serve`]). The other one sends it every operation
//! and reads the results back ([`open`]), by the same code as on a graphics adapter. Neither happens unless it is asked for.
//! The traffic is not encrypted: a token keeps out who may not compute there, and hides nothing from who reads along.
//!
//! All of this is in builds with the feature `remote`; others answer that they lack it (`absent`).
//!
//! burn's server says how many devices it has and nothing about them, so ours answers one operation of its own with what a
//! person wants to know of it ([`Told`]).

use crate::device::{Info, Kind, Parity};
use crate::error::{Error, Result};
use rand::TryRng;
use rand::rngs::SysRng;
use say::say;
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

#[cfg(not(feature = "remote"))]
mod absent;
#[cfg(feature = "remote")]
mod connected;
#[cfg(not(feature = "remote"))]
pub use absent::{about, address, available, lost, open, serve};
#[cfg(feature = "remote")]
pub use connected::{about, address, available, lost, open, serve};

/// What stands for the graphics API of such a device.
const API: &str = "burn remote";

/// What no device of another machine is asked to bind more than: every adapter that was met can bind this.
const BINDING: u64 = 128 << 20;

/// Letters of a token: none that is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Their number in a token: 130 bits of chance.
const LENGTH: usize = 26;

/// Numbers that it answers with: bytes of JSON, and zeros behind them.
#[cfg(any(feature = "remote", test))]
const ROOM: usize = 4096;

/// Characters of a name that are told, at most: all names together have room, whatever their letters.
const CHARS: usize = 120;

/// What a machine tells of the device that it serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The maker's name for it.
    pub name: String,
    /// Graphics API, or the instruction set of a CPU.
    pub api: String,
    /// Driver name and version, where there is one.
    pub driver: String,
    /// Its memory in bytes, where that is known.
    pub memory_bytes: Option<u64>,
    /// Version of the program that serves it.
    pub version: String,
}

/// A name without what a terminal would take for a command, and not longer than there is room for.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(CHARS).collect()
}

impl Told {
    /// What there is to tell of a device of this machine, served by this version of the program.
    pub fn of(info: &Info, version: &str) -> Self {
        Self { name: info.name.clone(), api: info.api.clone(), driver: info.driver.clone(), memory_bytes: info.memory_bytes, version: version.into() }.plain()
    }

    fn plain(self) -> Self {
        let [name, api, driver, version] = [self.name, self.api, self.driver, self.version].map(|text| plain(&text));
        Self { name, api, driver, version, ..self }
    }

    /// The device as it is listed on a machine that reaches it at `address`.
    pub fn info(&self, address: &str) -> Info {
        let version = format!("Lapidary {}", self.version);
        let by: Vec<&str> = [self.api.as_str(), &self.driver, &version].into_iter().filter(|part| !part.is_empty()).collect();
        Info {
            id: address.into(),
            name: self.name.clone(),
            kind: Kind::Remote,
            api: API.into(),
            driver: by.join(", "),
            max_binding_bytes: BINDING,
            memory_bytes: self.memory_bytes,
            f16: false,
            subgroups: false,
            parity: Parity::Unchecked,
            detail: String::new(),
            speed: None,
        }
    }

    /// As the numbers of a tensor, which is all that a session carries.
    #[cfg(any(feature = "remote", test))]
    fn numbers(&self) -> Result<Vec<f32>> {
        let text = serde_json::to_string(self).map_err(|e| Error::Request(e.to_string()))?;
        let mut numbers: Vec<f32> = text.bytes().map(f32::from).collect();
        numbers.resize(ROOM, 0.0);
        Ok(numbers)
    }

    /// From such numbers; another machine may send anything.
    #[cfg(any(feature = "remote", test))]
    fn read(numbers: &[f32]) -> Option<Self> {
        let bytes: Vec<u8> = numbers.iter().map(|&n| n as u8).take_while(|&b| b != 0).collect();
        serde_json::from_slice::<Self>(&bytes).ok().map(Self::plain)
    }
}

/// Whether this is the address of another machine, `workstation:7370` or `[fe80::1]:7370`, and no id of a device here.
pub fn is_address(id: &str) -> bool {
    let Some((host, port)) = id.rsplit_once(':') else { return false };
    let name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let number = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).is_some_and(|h| h.parse::<Ipv6Addr>().is_ok());
    !host.eq_ignore_ascii_case("gpu") && (name || number) && port.parse::<u16>().is_ok_and(|p| p > 0)
}

/// A token that nobody guesses, made of what the operating system has of chance.
///
/// # Errors
/// If it has none.
pub fn new_token() -> Result<String> {
    let mut bytes = [0u8; LENGTH];
    SysRng.try_fill_bytes(&mut bytes).map_err(|e| Error::Request(say!("the system gives no random numbers: {e}", "il sistema non dà numeri casuali: {e}")))?;
    Ok(bytes.iter().map(|b| char::from(LETTERS[usize::from(b % 32)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_machine_with_a_port_and_no_device_of_this_one() {
        for address in ["workstation:7370", "192.168.1.5:1", "my-host.local:65535", "[fe80::1]:7370", "a_b:80"] {
            assert!(is_address(address), "{address}");
        }
        let ids = ["", "cpu", "auto", "gpu:0", "GPU:1", "software"];
        let malformed = ["host", "host:", ":7370", "host:0", "host:65536", "ws://host:1", "a b:1", "[zz]:1", "u@h:1", "h:1/x"];
        for other in ids.into_iter().chain(malformed) {
            assert!(!is_address(other), "{other}");
        }
    }

    #[test]
    fn what_is_told_arrives_as_it_was_told_and_fits_whatever_it_is() {
        let told =
            Told { name: "Radeon™ «9»".into(), api: "Vulkan".into(), driver: "radv \"25\"".into(), memory_bytes: Some(1 << 34), version: "0.1.0".into() };
        let numbers = told.numbers().expect("written");
        assert_eq!((numbers.len(), Told::read(&numbers)), (ROOM, Some(told.clone())));
        let info = told.info("w:1");
        assert_eq!(
            (info.id.as_str(), info.kind, info.parity, info.driver.as_str()),
            ("w:1", Kind::Remote, Parity::Unchecked, "Vulkan, radv \"25\", Lapidary 0.1.0")
        );
        // the widest characters, and those that JSON writes as two
        for wide in ["𝔸".repeat(1000), "\"".repeat(1000), "\u{1b}[2J".repeat(1000)] {
            let info = Info { name: wide.clone(), api: wide.clone(), driver: wide.clone(), ..told.info("w:1") };
            let told = Told::of(&info, &wide);
            let numbers = told.numbers().expect("written");
            assert_eq!((numbers.len(), Told::read(&numbers)), (ROOM, Some(told.clone())));
            assert!(!told.name.contains('\u{1b}'), "{}", told.name);
        }
        for nonsense in [vec![], vec![f32::NAN; ROOM], vec![123.0; ROOM], vec![1e9; 3]] {
            assert_eq!(Told::read(&nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn tokens_differ_and_are_easily_typed() {
        let (one, other) = (new_token().expect("chance"), new_token().expect("chance"));
        assert!(one != other && one.len() == LENGTH && one.bytes().all(|b| LETTERS.contains(&b)), "{one} {other}");
    }

    #[cfg(not(feature = "remote"))]
    #[test]
    fn a_build_without_other_machines_says_so() {
        let device = burn::tensor::Device::flex();
        assert!(open("w:1", "token").is_err_and(|e| e.to_string().contains("cargo feature `remote`")) && available().is_err());
        assert!(about(&device).is_err() && address(&device).is_none() && !lost(&device));
    }
}
