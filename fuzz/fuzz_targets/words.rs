#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lapidary_fuzz::read(&["conll", "conllu", "bio"], data));
