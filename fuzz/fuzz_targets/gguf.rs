//! GGUF headers from anywhere: no panic, no allocation beyond the input's size, and whatever is
//! accepted can be dequantised.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/gemma/src/error.rs"]
mod error;
#[path = "../../crates/gemma/src/gguf.rs"]
mod gguf;
#[path = "../../crates/gemma/src/quant.rs"]
mod quant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(header) = gguf::parse(data) else { return };
    for info in header.tensors.values() {
        let values: usize = info.shape.iter().product();
        let mut out = vec![0.0; values];
        info.storage.dequantize(&data[info.bytes.clone()], &mut out);
    }
});
