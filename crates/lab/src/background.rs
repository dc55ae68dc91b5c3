//! Work that steps back: a training uses every core for minutes, and whoever waits for the window to answer comes first.
//!
//! Lowered threads still get all of a core that nobody else wants, so a training loses nothing to an idle window.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::LazyLock;
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
    let _ = ThreadPoolBuilder::new().start_handler(|_| step_back()).build_global();
}

/// Does work that a person waits for, dividing it among threads of its own: among those of the whole program it would begin
/// when a check of a million rows or the products of a training let it.
pub fn at_once<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| ThreadPoolBuilder::new().build().ok());
    match &*THREADS {
        Some(threads) => threads.install(work),
        None => work(),
    }
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
    fn what_is_waited_for_does_not_wait_for_the_threads_of_the_program() {
        use rayon::prelude::*;
        use std::sync::{Barrier, Mutex, mpsc};

        // every thread of the program is held until the work is done, which says so
        let threads = rayon::current_num_threads();
        let (held, (done, ends)) = (Barrier::new(threads + 1), mpsc::channel::<()>());
        let ends = Mutex::new(ends);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                rayon::broadcast(|_| {
                    held.wait();
                    let _ = ends.lock().expect("whole").recv();
                })
            });
            held.wait();
            let sum: usize = at_once(|| (0..1000_usize).into_par_iter().sum());
            (0..threads).for_each(|_| done.send(()).expect("they wait"));
            assert_eq!(sum, 499_500);
        });
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
