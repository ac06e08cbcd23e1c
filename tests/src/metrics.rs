//! Counts read from pods, in the OpenMetrics text format.

use std::{collections::BTreeMap, ops::Add};

/// The samples of one or more pods; equal series are added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples(BTreeMap<String, u64>);

impl Samples {
    /// Reads what a pod answers to `GET /metrics`. What is no whole number is left out.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| line.rsplit_once(' '));
        Self(samples.filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?))).collect())
    }

    /// The sum over all labels. A series that was never counted is 0.
    pub fn sum(&self, name: &str) -> u64 {
        let is_named = |series: &String| series.split('{').next() == Some(name);
        self.0.iter().filter(|(series, _)| is_named(series)).map(|(_, value)| value).sum()
    }

    /// The sums by the value of one label; zeros are left out.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for (series, value) in &self.0 {
            if let Some(found) = label_of(series, name, label).filter(|_| *value > 0) {
                *sums.entry(found.to_owned()).or_default() += value;
            }
        }
        sums
    }
}

impl Add for Samples {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        for (series, value) in other.0 {
            *self.0.entry(series).or_default() += value;
        }
        self
    }
}

/// The label's value, where the series has that name and that label. Our labels hold neither commas nor
/// quotes.
fn label_of<'s>(series: &'s str, name: &str, label: &str) -> Option<&'s str> {
    let labels = series.strip_prefix(name)?.strip_prefix('{')?.strip_suffix('}')?;
    let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
    pairs.find(|(own, _)| *own == label).map(|(_, value)| value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "\
# HELP assets_web_answers Answers by layer and status.
# TYPE assets_web_answers counter
assets_web_answers_total{layer=\"held\",status=\"200\"} 3
assets_web_answers_total{layer=\"memory\",status=\"200\"} 4
assets_web_answers_total{layer=\"held\",status=\"404\"} 0
assets_web_jobs_sent_total 2
assets_web_seconds_sum 0.25
# EOF
";

    #[test]
    fn pods_and_labels_are_added_up() {
        let both = Samples::parse(POD) + Samples::parse(POD);
        assert_eq!(both.sum("assets_web_jobs_sent_total"), 4);
        assert_eq!(both.sum("assets_web_answers_total"), 14);
        assert_eq!(both.sum("assets_web_answers"), 0);
        let by = |label| both.by_label("assets_web_answers_total", label);
        assert_eq!(by("layer"), [("held".to_owned(), 6), ("memory".to_owned(), 8)].into());
        assert_eq!(by("status"), [("200".to_owned(), 14)].into());
    }
}
