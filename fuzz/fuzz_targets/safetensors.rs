//! Safetensors files from anywhere: no panic, no allocation out of proportion to the input (held by
//! `-malloc_limit_mb`), and whatever is accepted can be read.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/gemma/src/error.rs"]
mod error;
#[path = "../../crates/gemma/src/file.rs"]
mod file;
#[path = "../../crates/gemma/src/hf.rs"]
mod hf;
#[path = "../../crates/gemma/src/quant.rs"]
mod quant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(entries) = hf::parse(data) else { return };
    for (_, shape, storage, bytes) in entries {
        let mut out = vec![0.0; shape.iter().product()];
        storage.dequantize(&data[bytes], &mut out);
    }
});
