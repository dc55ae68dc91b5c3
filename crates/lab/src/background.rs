//! Work that steps back: a training uses every core for minutes, and whoever waits for the window to answer comes first.
//!
//! Lowered threads still get all of a core that nobody else wants, so a training loses nothing to an idle window.

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// A quarter of the way from the lowest to the highest priority: `nice` 9 under Linux, "below normal" under Windows.
const BEHIND: u8 = 25;

/// Lets the calling thread, and the threads that it starts under Linux, run only where no thread of usual priority wants to.
///
/// A thread cannot be raised again without special rights, so it must be one that ends with its work. A system that
/// refuses leaves the priority as it is: the work is the same, only the window answers later.
pub fn step_back() {
    if let Ok(value) = ThreadPriorityValue::try_from(BEHIND) {
        // why it may fail, and what follows from it, is said above
        let _ = set_current_thread_priority(ThreadPriority::Crossplatform(value));
    }
}

/// The same for the threads among which matrix products are divided, of which a program has one set. To be called before
/// anything is computed; later it changes nothing.
pub fn workers_step_back() {
    let _ = rayon::ThreadPoolBuilder::new().start_handler(|_| step_back()).build_global();
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// The `nice` value of the calling thread, as the kernel tells it: the 19th field, the 17th behind the name.
    fn nice() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("of this thread");
        let fields = stat.rsplit(')').next().expect("behind the name");
        fields.split_whitespace().nth(16).and_then(|n| n.parse().ok()).expect("a number")
    }

    #[test]
    fn only_the_thread_that_asks_for_it_steps_back() {
        let usual = nice();
        let behind = std::thread::spawn(|| {
            step_back();
            (nice(), std::thread::spawn(nice).join().expect("joined"))
        });
        let (own, inherited) = behind.join().expect("joined");
        assert!(own > usual && own == inherited, "{usual} {own} {inherited}");
        assert_eq!(nice(), usual);
    }
}
