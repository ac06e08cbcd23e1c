//! The figures that a run must reach: pure.

use super::{material::Size, peers::Peer};
use bench_report::Spread;

/// What was measured of one server at one size.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) size: Size,
    pub(crate) peer: Peer,
    /// Answers in a second, as fast as the client asks.
    pub(crate) rate: Spread,
    /// The same of each round.
    pub(crate) rates: Vec<f64>,
    /// Share of its core that the server used meanwhile.
    pub(crate) busy: Spread,
    /// Microseconds at 70 % of `rate`.
    pub(crate) p50: Spread,
    pub(crate) p99: Spread,
}

/// A figure and its bound.
#[derive(Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) size: Size,
    pub(crate) what: &'static str,
    pub(crate) ratio: f64,
    pub(crate) bound: Bound,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn is_reached(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.ratio >= bound,
            Bound::AtMost(bound) => self.ratio <= bound,
        }
    }
}

impl Measured {
    /// The median of the rounds' ratios: what slows the machine down for seconds slows both down.
    fn rate_to(&self, peer: &Self) -> f64 {
        let ratios = self.rates.iter().zip(&peer.rates).map(|(own, other)| own / other).collect();
        Spread::of(ratios).map_or(0.0, |spread| spread.median)
    }
}

/// The figures of one size, by medians.
pub(crate) fn judge(size: Size, measured: &[Measured]) -> Vec<Figure> {
    let of = |peer| measured.iter().find(|one| one.size == size && one.peer == peer);
    let (Some(ours), Some(bare), Some(nginx)) = (of(Peer::Ours), of(Peer::Bare), of(Peer::Nginx)) else {
        return Vec::new();
    };
    let of_nginx = match size {
        Size::Kb5 | Size::Kb30 => 1.0,
        Size::Kb230 => 0.8,
    };
    let figure = |what, ratio, bound| Figure { size, what, ratio, bound };
    vec![
        figure("answers a second, to bare hyper's", ours.rate_to(bare), Bound::AtLeast(0.9)),
        figure("answers a second, to nginx's", ours.rate_to(nginx), Bound::AtLeast(of_nginx)),
        figure(
            "p99 at 70 % of its own peak, to bare hyper's",
            ours.p99.median / bare.p99.median,
            Bound::AtMost(1.5),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly(value: f64) -> Spread {
        Spread::of(vec![value]).unwrap()
    }

    fn measured(peer: Peer, rate: f64, p99: f64) -> Measured {
        Measured {
            size: Size::Kb230,
            peer,
            rate: exactly(rate),
            rates: vec![rate],
            busy: exactly(1.0),
            p50: exactly(p99 / 2.0),
            p99: exactly(p99),
        }
    }

    #[test]
    fn rates_are_compared_within_their_rounds() {
        let of = |peer, rates: [f64; 3]| Measured { rates: rates.to_vec(), ..measured(peer, 1.0, 1.0) };
        // The machine was slow in the second round, and then fast.
        let (ours, nginx) = (of(Peer::Ours, [12.0, 6.0, 33.0]), of(Peer::Nginx, [10.0, 5.0, 30.0]));
        assert!((ours.rate_to(&nginx) - 1.2).abs() < 1e-9);
    }

    #[test]
    fn figures_are_reached_on_their_bounds_and_missed_beyond_them() {
        let peers = |ours_rate, ours_p99| {
            [
                measured(Peer::Ours, ours_rate, ours_p99),
                measured(Peer::Bare, 1000.0, 100.0),
                measured(Peer::Nginx, 1125.0, 80.0),
            ]
        };
        let reached = |rate, p99| {
            judge(Size::Kb230, &peers(rate, p99)).iter().map(Figure::is_reached).collect::<Vec<_>>()
        };
        assert_eq!(reached(900.0, 150.0), [true, true, true]);
        assert_eq!(reached(899.0, 151.0), [false, false, false]);
        assert!(judge(Size::Kb5, &peers(1.0, 1.0)).is_empty());
    }
}
