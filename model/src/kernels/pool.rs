//! A small thread pool for fork-join over tasks of some microseconds.
//!
//! Workers spin for a moment after a job, since the next one of a forward pass follows at once, and then sleep: an idle
//! engine uses no processor time. The caller is one of the threads. Which thread runs which task never shows in a
//! result, because tasks write disjoint places. A pool may give way to other programs, and so may its caller.
#![allow(unsafe_code)]

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a worker looks for the next job before it sleeps.
const SPIN: Duration = Duration::from_micros(200);

/// How far threads of the background stand back: niceness, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICENESS: libc::c_int = 10;

type Job = *const (dyn Fn(usize) + Sync);

struct Shared {
    /// Counts jobs; a worker runs when it sees a number that it has not seen.
    epoch: AtomicU64,
    job: Mutex<Option<SendJob>>,
    /// Workers that have not finished the current job.
    running: AtomicUsize,
    asleep: Vec<AtomicBool>,
    /// What each thread has still to do of the tasks of [`Pool::for_each`].
    shares: Vec<Share>,
    stop: AtomicBool,
    panic: Mutex<Option<Box<dyn std::any::Any + Send>>>,
}

/// A stretch of tasks: the first in the low half, the end in the high half. On a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Share(AtomicU64);

impl Share {
    fn set(&self, tasks: Range<usize>) {
        self.0.store((tasks.end as u64) << 32 | tasks.start as u64, Ordering::Relaxed);
    }

    fn left(&self) -> u64 {
        let share = self.0.load(Ordering::Relaxed);
        (share >> 32).saturating_sub(share & u64::from(u32::MAX))
    }

    /// Takes the first task, or with `back` the last.
    fn take(&self, back: bool) -> Option<usize> {
        let next = |share: u64| {
            let (first, end) = (share & u64::from(u32::MAX), share >> 32);
            (first < end).then(|| if back { share - (1 << 32) } else { share + 1 })
        };
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        Some(if back { (before >> 32) as usize - 1 } else { before as u32 as usize })
    }
}

#[derive(Clone, Copy)]
struct SendJob(Job);
// SAFETY: the closure behind the pointer is `Sync`, and `Pool::run` does not return before every worker is done with it.
unsafe impl Send for SendJob {}

/// A fixed set of threads that run one job together.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<(Thread, Option<JoinHandle<()>>)>,
    /// One job at a time: `run` from two threads takes turns.
    turn: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// A pool of `threads` threads, the caller of [`Pool::run`] being the first. Zero counts as one.
    pub fn new(threads: usize) -> Pool {
        Pool::with(threads, || {})
    }

    /// As [`Pool::new`], with threads that give way to other programs where the system can do that (Linux). The caller
    /// of [`Pool::run`] is what it is; see [`in_background`].
    pub fn background(threads: usize) -> Pool {
        Pool::with(threads, give_way)
    }

    /// A pool whose threads begin with `start`.
    fn with(threads: usize, start: fn()) -> Pool {
        let extra = threads.max(1) - 1;
        let shared = Arc::new(Shared {
            epoch: AtomicU64::new(0),
            job: Mutex::new(None),
            running: AtomicUsize::new(0),
            asleep: (0..extra).map(|_| AtomicBool::new(false)).collect(),
            shares: (0..=extra).map(|_| Share::default()).collect(),
            stop: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let workers = (0..extra)
            // Up to the first that cannot be had: threads are numbered without gaps.
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                let name = format!("redraft-{}", index + 1);
                let run = move || {
                    start();
                    worker(&shared, index);
                };
                let handle = std::thread::Builder::new().name(name).spawn(run).ok()?;
                Some((handle.thread().clone(), Some(handle)))
            })
            .collect();
        Pool { shared, workers, turn: Mutex::new(()) }
    }

    /// The number of threads, the caller's included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `job(thread)` once on each thread and returns when all are done. A panic in one is raised again here.
    pub fn run(&self, job: &(dyn Fn(usize) + Sync)) {
        let _turn = lock(&self.turn);
        self.run_in_turn(job);
    }

    /// As [`Pool::run`], by the thread whose turn it is.
    fn run_in_turn(&self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            return job(0);
        }
        // SAFETY: the lifetime is erased only until `running` is back at zero, which is awaited below, also on a panic.
        let erased: Job = unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), Job>(job) };
        *lock(&self.shared.job) = Some(SendJob(erased));
        self.shared.running.store(self.workers.len(), Ordering::SeqCst);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        // The epoch is written before the flags are read, and a worker's flag before it reads the epoch: one of both sees
        // the other. Emulated processors have been seen to need it said twice.
        fence(Ordering::SeqCst);
        for (index, (thread, _)) in self.workers.iter().enumerate() {
            if self.shared.asleep[index].load(Ordering::SeqCst) {
                thread.unpark();
            }
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let started = Instant::now();
        while self.shared.running.load(Ordering::Acquire) != 0 {
            if started.elapsed() < SPIN { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        *lock(&self.shared.job) = None;
        let theirs = lock(&self.shared.panic).take();
        if let Some(payload) = own.err().or(theirs) {
            resume_unwind(payload);
        }
    }

    /// Runs `task(index, thread)` for each index below `tasks`. Each thread walks a stretch of its own, so that what it
    /// reads lies together; one that is done takes from the end of the longest stretch left.
    pub fn for_each(&self, tasks: usize, task: &(dyn Fn(usize, usize) + Sync)) {
        if tasks <= 1 || self.workers.is_empty() {
            for index in 0..tasks {
                task(index, 0);
            }
            return;
        }
        assert!(u32::try_from(tasks).is_ok());
        let _turn = lock(&self.turn);
        let (shares, threads) = (&self.shared.shares, self.threads());
        for (thread, share) in shares[..threads].iter().enumerate() {
            share.set(tasks * thread / threads..tasks * (thread + 1) / threads);
        }
        self.run_in_turn(&|thread| {
            while let Some(index) = shares[thread].take(false) {
                task(index, thread);
            }
            while let Some(longest) =
                shares.iter().filter(|share| share.left() > 0).max_by_key(|share| share.left())
            {
                if let Some(index) = longest.take(true) {
                    task(index, thread);
                }
            }
        });
    }

    /// Runs `task(row, values)` on each row of `[rows][stride]`.
    pub fn for_each_row(&self, values: &mut [f32], stride: usize, task: &(dyn Fn(usize, &mut [f32]) + Sync)) {
        let (rows, first) = (values.len() / stride, values.as_mut_ptr() as usize);
        let task = |row: usize, _: usize| {
            // SAFETY: the row lies within `values`, which is borrowed for the whole call, and is one task's own.
            let row_values =
                unsafe { std::slice::from_raw_parts_mut((first as *mut f32).add(row * stride), stride) };
            task(row, row_values);
        };
        // Waking the others costs more than a few rows.
        if rows < 4 { (0..rows).for_each(|row| task(row, 0)) } else { self.for_each(rows, &task) }
    }
}

/// Runs `task` on a thread that gives way to other programs, and waits for it. A panic is raised again here.
///
/// The thread is a new one each time: on Linux nobody but root may take back that a thread gives way.
pub fn in_background<R: Send>(task: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            give_way();
            task()
        });
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Lets other programs go before this thread from now on, where the system knows priorities of single threads.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    // SAFETY: both calls take plain numbers; 0 is the calling thread. Whether it worked makes no difference to a result.
    unsafe {
        let nice = libc::getpriority(libc::PRIO_PROCESS, 0).max(NICENESS);
        libc::setpriority(libc::PRIO_PROCESS, 0, nice);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        for (thread, handle) in &mut self.workers {
            thread.unpark();
            if let Some(handle) = handle.take() {
                // A worker's panic was already raised in `run`.
                let _ = handle.join();
            }
        }
    }
}

fn worker(shared: &Shared, index: usize) {
    let mut seen = 0;
    loop {
        let epoch = next_epoch(shared, index, seen);
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        seen = epoch;
        let job = *lock(&shared.job);
        if let Some(SendJob(job)) = job {
            // SAFETY: `Pool::run` keeps the closure alive until `running` is zero, and this worker still counts in it.
            let result = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(index + 1) }));
            if let Err(payload) = result {
                lock(&shared.panic).get_or_insert(payload);
            }
        }
        shared.running.fetch_sub(1, Ordering::Release);
    }
}

fn next_epoch(shared: &Shared, index: usize, seen: u64) -> u64 {
    let started = Instant::now();
    let mut turns = 0u32;
    loop {
        let epoch = shared.epoch.load(Ordering::SeqCst);
        if epoch != seen {
            return epoch;
        }
        turns = turns.wrapping_add(1);
        if !turns.is_multiple_of(64) || started.elapsed() < SPIN {
            std::hint::spin_loop();
            continue;
        }
        shared.asleep[index].store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        // Looked at again after the flag: a job that came in between would not have woken us.
        while shared.epoch.load(Ordering::SeqCst) == seen {
            std::thread::park();
        }
        shared.asleep[index].store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_pool_sleeps() {
        let pool = Pool::new(4);
        for _ in 0..10 {
            pool.run(&|_| {});
            // Ends only when every worker sleeps; one that went on spinning would hang the test.
            while !pool.shared.asleep.iter().all(|asleep| asleep.load(Ordering::SeqCst)) {
                std::thread::yield_now();
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_background_gives_way_and_its_caller_does_not() {
        let nice = || {
            // SAFETY: plain numbers.
            unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
        };
        let own = nice();
        let pool = Pool::background(3);
        let seen = Mutex::new(Vec::new());
        in_background(|| pool.run(&|_| lock(&seen).push(nice())));
        assert_eq!(lock(&seen).as_slice(), [own.max(NICENESS); 3]);
        assert_eq!(nice(), own);
        Pool::new(2).run(&|_| assert_eq!(nice(), own));
    }

    #[test]
    fn every_task_runs_once_and_a_panic_reaches_the_caller() {
        let pool = Pool::new(3);
        for round in 0..200 {
            let sum = AtomicUsize::new(0);
            pool.for_each(round, &|index, _| {
                sum.fetch_add(index + 1, Ordering::SeqCst);
            });
            assert_eq!(sum.into_inner(), round * (round + 1) / 2);
        }
        let mut values = vec![0.0; 10 * 3];
        pool.for_each_row(&mut values, 3, &|row, values| values.fill(row as f32));
        assert!(values.chunks(3).enumerate().all(|(row, values)| values == [row as f32; 3]));
        let caught =
            catch_unwind(AssertUnwindSafe(|| pool.run(&|thread| assert_ne!(thread, 2, "thread two"))));
        assert!(caught.is_err());
        let after = AtomicUsize::new(0);
        pool.run(&|_| {
            after.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(after.into_inner(), 3, "the pool works on after a panic");
    }
}
