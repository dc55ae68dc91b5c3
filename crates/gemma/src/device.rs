//! What this machine can compute on.
//!
//! The CPU always works. Graphics adapters are listed through wgpu, one graphics API per platform;
//! a software adapter is an adapter that emulates a GPU on the CPU and is never chosen unless named.
//! This module knows what there is; whether an adapter computes rightly is found out above it, and
//! [`prepare`] sets what must be set before the first one is opened.

use crate::error::{Error, Result};
use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
pub use burn::tensor::Device;
use burn::tensor::{DeviceKind, Tensor};
use burn_std::config::{BurnConfig, RuntimeConfig};
use say::say;
use serde::{Deserialize, Serialize};
use std::path::Path;
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
    /// A device of another machine, see [`crate::remote`].
    Remote,
}

/// Whether a device's numbers were held against the CPU's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// It is the reference, or agreed with it.
    Pass,
    /// It agreed only where operations were not fused into one, so they are not.
    Unfused,
    /// It crashed, hung or disagreed, so nothing is computed on it.
    Refused,
    /// Not compared yet.
    Unchecked,
}

/// A device as shown to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(rename = "Device")]
pub struct Info {
    /// What `--device` takes: `cpu`, `gpu:0`, `software`; of another machine its address, `workstation:7370`.
    pub id: String,
    /// The maker's name for it.
    pub name: String,
    /// What computes.
    #[ts(inline)]
    pub kind: Kind,
    /// Graphics API, or the instruction set for the CPU; of another machine, what reaches it.
    pub api: String,
    /// Driver name and version, where there is one; of another machine, by what its device computes there.
    pub driver: String,
    /// Largest buffer that one computation can read, in bytes; 0 if there is no such limit.
    pub max_binding_bytes: u64,
    /// Its own memory in bytes where the system tells it, or what it shares with the processor.
    pub memory_bytes: Option<u64>,
    /// Whether a graphics device can hold weights in `f16`; once it was compared, whether its numbers were right with them.
    pub f16: bool,
    /// Whether threads of a group can exchange values without going through memory.
    pub subgroups: bool,
    /// Whether its numbers agree with the CPU's.
    #[ts(inline)]
    pub parity: Parity,
    /// What the comparison found, or why the device cannot be used; empty if there is nothing to say.
    pub detail: String,
    /// Tokens a second through one block of real sizes, forward and backward, if that was measured.
    pub speed: Option<f64>,
}

impl Info {
    /// What identifies a device and its driver: after a change of either nothing that is remembered holds any longer.
    pub fn key(&self) -> String {
        format!("{} | {} | {} | {}", self.id, self.name, self.api, self.driver)
    }
}

/// Lists the CPU and every adapter of the platform's graphics API. A graphics API that cannot be asked is a line in
/// the list with the reason.
pub fn list() -> Vec<Info> {
    let mut out = vec![cpu()];
    match std::panic::catch_unwind(adapters) {
        Ok(found) => out.extend(found.into_iter().map(|(info, _)| info)),
        Err(panic) => {
            let what = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or(say::pick("it gave no reason", "non ha detto perché"));
            let detail = say!("the graphics driver failed: {what}; update it", "il driver grafico ha ceduto: {what}; aggiornalo");
            out.push(Info { id: "gpu".into(), name: "?".into(), kind: Kind::Gpu, api: String::new(), parity: Parity::Refused, detail, ..cpu() });
        }
    }
    out
}

/// Opens the device of this machine that is called `id`: `cpu`, `gpu` (the first real one), or an id from [`list`].
///
/// # Errors
/// If there is no such device.
pub fn open(id: &str) -> Result<(Info, Device)> {
    if id == "cpu" {
        return Ok((cpu(), Device::flex()));
    }
    let mut all = adapters();
    let found = all.iter().position(|(info, _)| if id == "gpu" { info.kind == Kind::Gpu } else { info.id == id });
    let at = found.ok_or_else(|| Error::Device {
        device: id.into(),
        what: say!("is not on this machine; `lapidary devices` lists what is", "non è su questo computer; `lapidary devices` elenca quelli presenti"),
    })?;
    #[cfg(feature = "kept")]
    crate::kernels::choose(all.iter().map(|(info, _)| info));
    let (info, kind) = all.swap_remove(at);
    Ok((info, Device::wgpu(kind)))
}

/// Says whether the graphics backend fuses operations into one kernel, and in which folder it keeps what it finds out about
/// kernels, which a process can do only once, before it first opens an adapter. Whether the former holds now: it does not if
/// the other was said before.
pub fn prepare(fusion: bool, kernels: &Path) -> bool {
    #[cfg(feature = "kept")]
    crate::kernels::keep(kernels);
    // without the database that they are kept in, every process finds them out
    #[cfg(not(feature = "kept"))]
    let _ = kernels;
    // a search that may try nothing runs every operation by itself
    let tries = if fusion { serde_json::Value::Null } else { 0.into() };
    // read from its defaults and this value, so it cannot fail to be read
    if let Ok(config) = serde_json::from_value::<BurnConfig>(serde_json::json!({ "fusion": { "beam_search": { "max_explorations": tries } } })) {
        BurnConfig::try_set(config);
    }
    (BurnConfig::get().fusion().beam_search.max_explorations != Some(0)) == fusion
}

/// What a device is called in a message; of another machine, its address.
pub fn name(device: &Device) -> String {
    crate::remote::address(device).unwrap_or_else(|| format!("{device:?}"))
}

/// A tensor as the CPU holds it, its values one after the other.
///
/// # Errors
/// If it is not on the CPU.
pub fn held<const D: usize>(t: Tensor<D>) -> Result<FlexTensor> {
    let device = t.device();
    // what is trained is tracked elsewhere
    let flex = t.inner().try_into_primitive::<Flex>();
    flex.map(|t| t.to_contiguous()).map_err(|e| Error::Device {
        device: name(&device),
        what: say!("a weight is not where it should be: {e:?}", "un peso non è dove dovrebbe essere: {e:?}"),
    })
}

/// Whether this is the CPU backend, whatever it is wrapped in.
pub fn is_cpu(device: &Device) -> bool {
    device.clone().without_autodiff() == Device::flex()
}

/// Gives back what is kept for later and held by nobody: the graphs of passes that were broken off, which the next backward pass
/// would sweep out, and the pools of a graphics device. The processor's memory is the system's to keep.
pub fn release(device: &Device) {
    // any backward pass sweeps out what others left behind
    drop(Tensor::<1>::ones([1], &Device::flex()).autodiff().require_grad().sum().backward());
    if is_cpu(device) {
        return;
    }
    // a device that has failed has nothing to give back, and may say so by a panic
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        // what was dropped is let go of only by what is carried out
        let _ = device.sync();
        device.memory_cleanup();
    }));
}

/// Bytes that this process holds of a graphics device's memory, what it keeps for later included; `None` for the processor, whose memory
/// is the process's, and for devices that do not tell.
pub fn held_memory(device: &Device) -> Option<u64> {
    // a device that has failed may say so by a panic
    let usage = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| device.memory_pool_usage()));
    usage.ok().flatten().map(|usage| usage.bytes_reserved)
}

fn cpu() -> Info {
    Info {
        id: "cpu".into(),
        name: cpu_name(),
        kind: Kind::Cpu,
        api: instruction_set().into(),
        driver: String::new(),
        max_binding_bytes: 0,
        memory_bytes: machine_memory(),
        f16: false,
        subgroups: false,
        parity: Parity::Pass,
        detail: String::new(),
        speed: None,
    }
}

/// The machine's memory in bytes, where the system says it.
#[cfg(target_os = "linux")]
fn machine_memory() -> Option<u64> {
    crate::file::kibibytes("/proc/meminfo", "MemTotal:")
}

/// The machine's memory in bytes, where the system says it.
#[cfg(not(target_os = "linux"))]
fn machine_memory() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
    Some(system.total_memory()).filter(|&bytes| bytes > 0)
}

/// The processor's name with its threads; without a name its kind.
fn cpu_name() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = cpu_model().filter(|name| !name.is_empty());
    format!("{}, {cores} threads", model.as_deref().unwrap_or(std::env::consts::ARCH))
}

/// What the processor is called, where the system says it.
#[cfg(target_os = "linux")]
fn cpu_model() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().into()))
}

/// What the processor is called, where the system says it.
#[cfg(not(target_os = "linux"))]
fn cpu_model() -> Option<String> {
    let mut system = sysinfo::System::new();
    system.refresh_cpu_specifics(sysinfo::CpuRefreshKind::nothing());
    system.cpus().first().map(|cpu| cpu.brand().trim().into())
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
        let found = describe(&adapters_of(api));
        if found.iter().any(|(info, _)| info.kind == Kind::Gpu) {
            return found;
        }
        if software_only.is_empty() {
            software_only = found;
        }
    }
    software_only
}

fn adapters_of(api: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = api;
    pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(api))
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
            memory_bytes: match info.device_type {
                // it computes in the machine's
                wgpu::DeviceType::Cpu => machine_memory(),
                _ => graphics_memory(info.vendor, info.device).or_else(|| local_memory(adapter)),
            },
            f16: adapter.features().contains(wgpu::Features::SHADER_F16),
            subgroups: adapter.features().contains(wgpu::Features::SUBGROUP),
            parity: Parity::Unchecked,
            detail: String::new(),
            speed: None,
        };
        out.push((info, kind));
    }
    out
}

/// What Vulkan calls local to a device: the memory of a card, or the share of the machine's that an integrated one may take. wgpu does
/// not tell it, and of other APIs nothing here does.
#[cfg(any(windows, target_os = "linux"))]
fn local_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT` of the Vulkan specification.
    const LOCAL: u32 = 1;
    // SAFETY: the adapter is only asked, and lives as long as what was taken from it
    let heaps = unsafe {
        let vulkan = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        vulkan.shared_instance().raw_instance().get_physical_device_memory_properties(vulkan.raw_physical_device())
    };
    let local = heaps.memory_heaps_as_slice().iter().filter(|heap| heap.flags.as_raw() & LOCAL != 0);
    // a card has a second, small one that the processor may write to, which on some is a part of the first
    local.map(|heap| heap.size).max()
}

#[cfg(not(any(windows, target_os = "linux")))]
fn local_memory(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// The memory in bytes of the graphics card with these PCI numbers, where Linux' drivers tell it (amdgpu does).
fn graphics_memory(vendor: u32, device: u32) -> Option<u64> {
    let number = |path: std::path::PathBuf| u32::from_str_radix(std::fs::read_to_string(path).ok()?.trim().trim_start_matches("0x"), 16).ok();
    let cards = std::fs::read_dir("/sys/class/drm").ok()?.flatten().map(|card| card.path().join("device"));
    let ours = |card: &std::path::PathBuf| number(card.join("vendor")) == Some(vendor) && number(card.join("device")) == Some(device);
    cards.filter(ours).find_map(|card| std::fs::read_to_string(card.join("mem_info_vram_total")).ok()?.trim().parse().ok())
}

#[cfg(all(test, any(windows, target_os = "linux")))]
mod tests {
    use super::*;

    /// A software adapter is asked in the same way, but for its memory nobody asks Vulkan: it is the machine's.
    #[test]
    fn vulkan_tells_how_much_memory_a_device_has() {
        let found = adapters_of(wgpu::Backends::VULKAN);
        if found.is_empty() {
            eprintln!("SKIPPED: there is no graphics adapter, not even a software one (package mesa-vulkan-drivers)");
        }
        for adapter in found {
            let memory = local_memory(&adapter);
            assert!(memory.is_some_and(|bytes| bytes >= 64 << 20), "{}: {memory:?}", adapter.get_info().name);
        }
    }
}
