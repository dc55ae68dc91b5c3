//! Buffers that are used again: a fresh allocation of megabytes costs a page fault every 4 KiB and a
//! clearing, a tenth of a training step in all.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// Buffers that are free.
#[derive(Debug, Default)]
pub struct Arena {
    free: Mutex<Vec<Vec<f32>>>,
}

/// A buffer that goes back to its arena when dropped.
#[derive(Debug)]
pub struct Buffer {
    values: Vec<f32>,
    home: Arc<Arena>,
}

impl Arena {
    /// A buffer of `length` values. What they are is left over from earlier use: write before you read.
    pub fn take(self: &Arc<Self>, length: usize) -> Buffer {
        if length == 0 {
            return Buffer { values: Vec::new(), home: self.clone() };
        }
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // the smallest that fits without being more than twice too large
        let fit = (0..free.len()).filter(|&i| (length..=length.saturating_mul(2)).contains(&free[i].capacity())).min_by_key(|&i| free[i].capacity());
        let mut values = fit.map(|i| free.swap_remove(i)).unwrap_or_default();
        drop(free);
        values.resize(length, 0.0);
        Buffer { values, home: self.clone() }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        if values.capacity() == 0 {
            return;
        }
        self.home.free.lock().unwrap_or_else(PoisonError::into_inner).push(values);
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.values
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back() {
        let arena = Arc::new(Arena::default());
        let first = arena.take(1000).as_ptr();
        assert_eq!(arena.take(900).as_ptr(), first);
        assert_eq!(arena.take(100).len(), 100);
    }
}
