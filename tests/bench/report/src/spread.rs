//! What several runs of one kind show together.

/// Runs of one kind: middle, ends, and how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub runs: usize,
}

impl Spread {
    /// `None` of nothing.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), min, max, runs: values.len() })
    }

    /// `median (least to most)`, times `factor`.
    pub fn show(&self, factor: f64, digits: usize) -> String {
        let Self { median, min, max, .. } = self;
        let [median, min, max] = [median, min, max].map(|value| format!("{:.digits$}", value * factor));
        format!("{median} ({min} to {max})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_has_the_middle_of_its_runs() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 3.0, runs: 3 });
        let between = Spread::of(vec![1.0, 2.0]).unwrap();
        assert_eq!(between, Spread { median: 1.5, min: 1.0, max: 2.0, runs: 2 });
        assert_eq!(Spread::of(Vec::new()), None);
        assert_eq!(spread.show(0.5, 1), "1.0 (0.5 to 1.5)");
    }
}
