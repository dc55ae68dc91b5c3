//! Gemma 3 in [burn]: the model, its weights, its tokenizer and what makes it trainable.
//!
//! Start with [`model`], one file that reads beside the paper: embeddings, blocks of attention and
//! GeGLU, the final norm. Around it:
//!
//! * [`config`]: the handful of numbers that make a 270M, 1B or 4B model out of the same code;
//! * [`weights`]: opens a Hugging Face folder or a GGUF file ([`gguf`], [`quant`], [`hf`]) and hands
//!   out tensors by their Hugging Face names;
//! * [`tokenizer`]: `tokenizer.json`, or the same tokenizer rebuilt from GGUF metadata;
//! * [`rows`]: where the rows of a batch lie among its tokens;
//! * [`trained`]: what is trained of the blocks, adapters ([`lora`]) or all of their weights ([`full`]), and [`head`] above;
//! * `fused`: a block as one operation on the CPU, several times faster than operation by operation;
//! * [`packed`]: the blocks' matrices in fewer bytes than f32, on graphics devices by `halved`;
//! * [`table`]: the 262 144-row embedding table, looked up on the host and multiplied in shards;
//! * [`loss`]: cross-entropy that never holds all logits, with its own backward;
//! * [`again`]: the way back through the blocks, one after the other computed again;
//! * [`generate`]: greedy, sampled and constrained decoding over a key/value cache;
//! * [`export`]: writes a model, tuned or not, for other programs;
//! * [`floor`]: how fast a step could be at best;
//! * [`device`]: what this machine can compute on, and `kernels`: what it found out about its kernels;
//! * [`remote`]: another machine as a device, and this one as another's.
//!
//! The crate knows tokens and tensors; it knows nothing of examples, tasks or files of data.

pub mod again;
pub mod config;
pub mod device;
pub mod error;
pub mod export;
pub mod file;
pub mod floor;
pub mod full;
mod fused;
pub mod generate;
pub mod gguf;
mod halved;
pub mod head;
pub mod hf;
#[cfg(feature = "kept")]
mod kernels;
pub mod lora;
pub mod loss;
pub mod model;
pub mod packed;
pub mod quant;
pub mod remote;
pub mod rows;
pub mod table;
pub mod tokenizer;
pub mod trained;
pub mod weights;

pub use config::Config;
pub use error::{Error, Result};
pub use export::Export;
pub use full::Full;
pub use head::Head;
pub use lora::{Adapters, LoraConfig, Projection};
pub use model::Gemma;
pub use packed::Precision;
pub use rows::{Layout, Rows};
pub use table::Table;
pub use tokenizer::Tokenizer;
pub use trained::Trained;
pub use weights::Weights;
