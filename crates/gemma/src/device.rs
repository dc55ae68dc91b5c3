//! What this machine can compute on.
//!
//! The CPU always works. Graphics adapters are listed through wgpu, one graphics API per platform;
//! a software adapter is an adapter that emulates a GPU on the CPU and is never chosen unless named.

use crate::error::{Error, Result};
use burn::tensor::{Device, DeviceKind};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The processor, through burn's flex backend.
    Cpu,
    /// A graphics processor.
    Gpu,
    /// A graphics API emulated on the processor (lavapipe, WARP): a test bed, slower than `Cpu`.
    Software,
}

/// Whether a device's numbers were held against the CPU's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// It is the reference, or agreed with it.
    Pass,
    /// Not compared yet.
    Unchecked,
}

/// A device as shown to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "Device")]
pub struct Info {
    /// What `--device` takes: `cpu`, `gpu:0`, `software`.
    pub id: String,
    /// The maker's name for it.
    pub name: String,
    /// What computes.
    #[ts(inline)]
    pub kind: Kind,
    /// Graphics API, or the instruction set for the CPU.
    pub api: String,
    /// Driver name and version, where there is one.
    pub driver: String,
    /// Largest buffer that one computation can read, in bytes; 0 if there is no such limit.
    pub max_binding_bytes: u64,
    /// Whether it can compute in `f16`.
    pub f16: bool,
    /// Whether its numbers agree with the CPU's.
    #[ts(inline)]
    pub parity: Parity,
}

/// Lists the CPU and every adapter of the platform's graphics API.
pub fn list() -> Vec<Info> {
    let mut out = vec![cpu()];
    out.extend(adapters().into_iter().map(|(info, _)| info));
    out
}

/// Opens the device called `id`: `auto`, `cpu`, `gpu` (the first real one), or an id from [`list`].
/// `auto` is the CPU, whose numbers the reference tests hold.
///
/// # Errors
/// If there is no such device.
pub fn open(id: &str) -> Result<(Info, Device)> {
    match id {
        "auto" | "cpu" => return Ok((cpu(), Device::flex())),
        _ => {}
    }
    let found = adapters().into_iter().find(|(info, _)| if id == "gpu" { info.kind == Kind::Gpu } else { info.id == id });
    let (info, kind) = found.ok_or_else(|| Error::Device { device: id.into(), what: "is not on this machine; `lapidary devices` lists what is".into() })?;
    Ok((info, Device::wgpu(kind)))
}

/// Whether this is the CPU backend, whatever it is wrapped in.
pub(crate) fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

fn cpu() -> Info {
    Info {
        id: "cpu".into(),
        name: cpu_name(),
        kind: Kind::Cpu,
        api: instruction_set().into(),
        driver: String::new(),
        max_binding_bytes: 0,
        f16: false,
        parity: Parity::Pass,
    }
}

/// The processor's name, where the system says it cheaply.
fn cpu_name() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, n)| n.trim()));
    format!("{}, {cores} threads", model.unwrap_or(std::env::consts::ARCH))
}

fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    std::env::consts::ARCH
}

/// The graphics APIs that can compute, best first. The first with a real GPU is used, as cubecl does.
const APIS: [wgpu::Backends; 3] = [wgpu::Backends::METAL, wgpu::Backends::VULKAN, wgpu::Backends::DX12];

fn adapters() -> Vec<(Info, DeviceKind)> {
    let mut software_only = Vec::new();
    for api in APIS {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = api;
        let instance = wgpu::Instance::new(descriptor);
        let found = describe(&pollster::block_on(instance.enumerate_adapters(api)));
        if found.iter().any(|(info, _)| info.kind == Kind::Gpu) {
            return found;
        }
        if software_only.is_empty() {
            software_only = found;
        }
    }
    software_only
}

fn describe(adapters: &[wgpu::Adapter]) -> Vec<(Info, DeviceKind)> {
    let (mut discrete, mut integrated, mut virtual_gpu, mut gpus) = (0, 0, 0, 0);
    let mut out = Vec::new();
    let next = |n: &mut usize| {
        *n += 1;
        *n - 1
    };
    for adapter in adapters {
        let info = adapter.get_info();
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(next(&mut discrete)),
            wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(next(&mut integrated)),
            wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu(next(&mut virtual_gpu)),
            wgpu::DeviceType::Cpu => DeviceKind::Cpu,
            wgpu::DeviceType::Other => continue,
        };
        let software = kind == DeviceKind::Cpu;
        let id = if software { "software".into() } else { format!("gpu:{}", next(&mut gpus)) };
        if out.iter().any(|(i, _): &(Info, DeviceKind)| i.id == id) {
            continue;
        }
        let info = Info {
            id,
            name: info.name,
            kind: if software { Kind::Software } else { Kind::Gpu },
            api: format!("{:?}", info.backend),
            driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
            max_binding_bytes: adapter.limits().max_storage_buffer_binding_size,
            f16: adapter.features().contains(wgpu::Features::SHADER_F16),
            parity: Parity::Unchecked,
        };
        out.push((info, kind));
    }
    out
}
