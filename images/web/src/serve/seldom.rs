//! A future that is polled only when it has asked for it itself.
//!
//! A task that waits for several things polls all of them whenever any of them wakes it. A connection is
//! woken for each of its requests, but stopped or judged only now and then, and to find that out anew for
//! every request costs a turn of locks that all connections share.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use pin_project_lite::pin_project;

pin_project! {
    pub(super) struct Seldom<F> {
        #[pin]
        future: F,
        bell: Option<Arc<Bell>>,
    }
}

/// Wakes the task, and remembers for whom.
struct Bell {
    task: Waker,
    has_rung: AtomicBool,
}

impl<F> Seldom<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future, bell: None }
    }
}

impl<F: Future> Future for Seldom<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let bell = match this.bell {
            Some(bell) if bell.task.will_wake(context.waker()) => {
                // Taken back before the poll: what rings during it is not lost.
                if !bell.has_rung.swap(false, Ordering::AcqRel) {
                    return Poll::Pending;
                }
                bell
            }
            // The first poll, or another task's: the future has to learn whom to wake.
            bell => {
                let task = context.waker().clone();
                bell.insert(Arc::new(Bell { task, has_rung: AtomicBool::new(false) }))
            }
        };
        let waker = Waker::from(bell.clone());
        let polled = this.future.poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            // One that goes on after it has told something is polled anew.
            bell.has_rung.store(true, Ordering::Release);
        }
        polled
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::atomic::AtomicU32, time::Duration};

    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn future_is_polled_only_when_it_woke_the_task_itself() {
        let polls = AtomicU32::new(0);
        let mut slept = Box::pin(sleep(Duration::from_secs(3)));
        let mut seldom = std::pin::pin!(Seldom::new(poll_fn(|context| {
            polls.fetch_add(1, Ordering::SeqCst);
            slept.as_mut().poll(context)
        })));
        let began = Instant::now();
        let mut others = 0;
        loop {
            tokio::select! {
                biased;
                () = seldom.as_mut() => break,
                () = sleep(Duration::from_millis(10)) => others += 1,
            }
        }
        assert_eq!((polls.into_inner(), began.elapsed()), (2, Duration::from_secs(3)));
        assert!(others >= 299, "{others}");
    }

    #[tokio::test]
    async fn future_that_goes_on_after_it_has_told_something_is_asked_again() {
        let mut told = 0;
        let mut seldom = std::pin::pin!(Seldom::new(poll_fn(|_| {
            told += 1;
            Poll::Ready(told)
        })));
        assert_eq!([seldom.as_mut().await, seldom.as_mut().await], [1, 2]);
    }

    #[test]
    fn another_task_that_polls_is_the_one_that_is_woken() {
        #[derive(Default)]
        struct Counted(AtomicU32);
        impl Wake for Counted {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let kept = std::sync::Mutex::new(None);
        let mut seldom = std::pin::pin!(Seldom::new(poll_fn(|context: &mut Context<'_>| {
            *kept.lock().unwrap() = Some(context.waker().clone());
            Poll::<()>::Pending
        })));
        let tasks = [(); 2].map(|()| Arc::new(Counted::default()));
        for task in &tasks {
            let waker = Waker::from(task.clone());
            assert!(seldom.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        kept.lock().unwrap().take().unwrap().wake();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::SeqCst)), [0, 1]);
    }
}
