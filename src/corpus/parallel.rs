//! Work on many recordings side by side.
//!
//! Layer 4.

use crate::error::{Error, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that this machine has cores for.
pub fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// `work` of every item on `jobs` threads, results in the items' order; `done` sees how many are finished.
///
/// # Errors
/// When a thread cannot be started.
pub fn for_each_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> R + Sync,
    done: &(dyn Fn(usize) + Sync),
) -> Result<Vec<R>> {
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while let Some((index, item)) = items.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
            let result = work(item);
            results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((index, result));
            done(finished.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| -> Result<()> {
        for job in 1..jobs.clamp(1, items.len().max(1)) {
            let thread = std::thread::Builder::new().name(format!("corpus-{job}"));
            thread.spawn_scoped(scope, run).map_err(|error| Error::io("a thread", error))?;
        }
        run();
        Ok(())
    })?;
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_and_all_are_counted() {
        let items: Vec<u64> = (0..100).collect();
        for jobs in [0, 1, 3, 200] {
            let last = AtomicUsize::new(0);
            let work = |item: &u64| item * 2;
            let done = |count| {
                last.fetch_max(count, Ordering::Relaxed);
            };
            let doubled = for_each_parallel(&items, jobs, work, &done).expect("threads");
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
            assert_eq!(last.into_inner(), 100);
        }
        assert!(for_each_parallel(&[] as &[u64], 4, |item| *item, &|_| ()).expect("threads").is_empty());
    }
}
