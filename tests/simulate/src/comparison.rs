//! The decider beside KEDA and the best that knows no future.

use std::fmt;

use crate::{Figures, Keda, KedaSettings, Ours, Run, Trace, figures, find_optimum, limits_for, run};

/// One trace under all three.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub name: String,
    pub ours: Run,
    /// With the loops in the phases that are nearest to the mean.
    pub keda: Run,
    /// The mean over all phases of KEDA's loops.
    pub keda_mean: Figures,
    /// `None` where nothing lets visitors wait as little as ours.
    pub optimum: Option<Run>,
}

pub fn compare(trace: &Trace) -> Comparison {
    let ours = run(trace, &mut Ours::new(trace, limits_for(trace)));
    let runs: Vec<Run> = KedaSettings::new(trace.queue_length)
        .spread()
        .map(|settings| run(trace, &mut Keda::new(trace, settings)))
        .collect();
    let keda_mean = mean(&runs);
    let keda = runs.into_iter().min_by(|one, other| {
        let distance = |run: &Run| (run.figures.backlog_area - keda_mean.backlog_area).abs();
        distance(one).total_cmp(&distance(other))
    });
    let optimum = find_optimum(trace, ours.figures.backlog_area);
    let keda = keda.unwrap_or_else(|| ours.clone());
    Comparison { name: trace.name.clone(), ours, keda, keda_mean, optimum }
}

fn mean(runs: &[Run]) -> Figures {
    let mean = |figure: fn(&Figures) -> f64| figures::mean(runs.iter().map(|run| figure(&run.figures)));
    Figures {
        backlog_area: mean(|figures| figures.backlog_area),
        worker_seconds: mean(|figures| figures.worker_seconds),
        mean_wait: mean(|figures| figures.mean_wait),
        p95_wait: mean(|figures| figures.p95_wait),
        longest_wait: mean(|figures| figures.longest_wait),
        reversals: runs.iter().map(|run| run.figures.reversals).max().unwrap_or(0),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        writeln!(f, "  ours     {}", self.ours.figures)?;
        writeln!(f, "  KEDA     {}", self.keda_mean)?;
        match &self.optimum {
            Some(optimum) => writeln!(f, "  optimum  {}", optimum.figures),
            None => writeln!(f, "  optimum  none with waits as short"),
        }
    }
}
