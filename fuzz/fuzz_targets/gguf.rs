//! GGUF headers from anywhere: no panic, no allocation out of proportion to the input (held by
//! `-malloc_limit_mb`), every message says what to do, and whatever is accepted can be dequantised.
#![no_main]
#![allow(dead_code)]

#[path = "../../crates/gemma/src/error.rs"]
mod error;
#[path = "../../crates/gemma/src/file.rs"]
mod file;
#[path = "../../crates/gemma/src/gguf.rs"]
mod gguf;
#[path = "../../crates/gemma/src/quant.rs"]
mod quant;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let header = match gguf::parse(data) {
        Ok(header) => header,
        Err(what) => return assert!(["fetch it again", "choose a .gguf", "convert the file", "use a file in"].iter().any(|advice| what.contains(advice))),
    };
    for info in header.tensors.values() {
        let values: usize = info.shape.iter().product();
        let mut out = vec![0.0; values];
        info.storage.dequantize(&data[info.bytes.clone()], &mut out);
    }
});
