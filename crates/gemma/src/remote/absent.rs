//! What a build without the feature `remote` says of devices of other machines: that it has none.

use super::Told;
use crate::error::{Error, Result};
use burn::tensor::Device;
use say::say;
use std::future::Ready;
use std::net::TcpListener;

fn absent() -> Error {
    Error::Request(say!(
        "this build of Lapidary has no devices of other machines; build it with the cargo feature `remote`",
        "questa versione di Lapidary è stata costruita senza dispositivi di altri computer; costruiscila con la feature `remote` di cargo"
    ))
}

/// Whether this build has devices of other machines.
///
/// # Errors
/// That it has none.
pub fn available() -> Result<()> {
    Err(absent())
}

/// Always refused here.
///
/// # Errors
/// That this build lacks it.
pub fn open(_: &str, _: &str) -> Result<Device> {
    Err(absent())
}

/// Always refused here.
///
/// # Errors
/// That this build lacks it.
pub fn about(_: &Device) -> Result<Told> {
    Err(absent())
}

/// No device is another machine's here.
pub fn address(_: &Device) -> Option<String> {
    None
}

/// No device is another machine's here.
pub fn lost(_: &Device) -> bool {
    false
}

/// Always refused here.
///
/// # Errors
/// That this build lacks it.
pub fn serve(_: &Device, _: &Told, _: &str, _: TcpListener) -> Result<Ready<Result<()>>> {
    Err(absent())
}
