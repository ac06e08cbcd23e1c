//! What ends a connection from outside: the listener's stop, and its client's slowness.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFuture;

use super::{
    ServeSettings,
    connection::Listener,
    pulse::{Judgement, Pulse},
};

/// What ends a connection that does not end by itself.
pub(super) enum End {
    /// After the answers that were begun. Told once.
    Graceful,
    Cut,
}

pin_project! {
    /// Waits for the listener's stop, and looks at the pulse now and then.
    pub(super) struct Watch<'c> {
        pulse: &'c Pulse,
        settings: &'c ServeSettings,
        #[pin]
        stopped: WaitForCancellationFuture<'c>,
        has_stopped: bool,
        #[pin]
        look: Sleep,
    }
}

impl<'c> Watch<'c> {
    pub(super) fn new(pulse: &'c Pulse, listener: &'c Listener) -> Self {
        let Listener { settings, stop, front: _ } = listener;
        let look = sleep_until(Instant::now() + settings.head_timeout);
        Self { pulse, settings, stopped: stop.cancelled(), has_stopped: false, look }
    }
}

impl Future for Watch<'_> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<End> {
        let mut this = self.project();
        if !*this.has_stopped && this.stopped.poll(context).is_ready() {
            *this.has_stopped = true;
            return Poll::Ready(End::Graceful);
        }
        loop {
            ready!(this.look.as_mut().poll(context));
            match this.pulse.judge(this.settings, Instant::now()) {
                Judgement::LookAgain(at) => this.look.as_mut().reset(at),
                Judgement::Cut => return Poll::Ready(End::Cut),
            }
        }
    }
}
