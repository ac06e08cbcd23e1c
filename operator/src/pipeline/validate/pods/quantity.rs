//! Amounts, parsed from the few forms that the schema allows and written as the API server writes them. It gives
//! back any other form as this one, which would look like drift.

use std::fmt;

/// An amount of memory or disk, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mebibytes(pub u64);

impl Mebibytes {
    /// From `512Mi` or `2Gi`, up to six digits.
    pub fn parse(text: &str) -> Option<Self> {
        let (digits, factor) = match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
            (Some(digits), _) => (digits, 1),
            (None, Some(digits)) => (digits, 1024),
            (None, None) => return None,
        };
        let amount = positive(digits, 6)?;
        Some(Self(amount * factor))
    }
}

impl fmt::Display for Mebibytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mebibytes) = self;
        let (gibibytes, rest) = (mebibytes / 1024, mebibytes % 1024);
        let (tebibytes, whole) = (gibibytes / 1024, gibibytes % 1024);
        match (rest, whole) {
            (0, 0) => write!(formatter, "{tebibytes}Ti"),
            (0, _) => write!(formatter, "{gibibytes}Gi"),
            (_, _) => write!(formatter, "{mebibytes}Mi"),
        }
    }
}

/// Thousandths of a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millicores(pub u64);

impl Millicores {
    /// From `500m`, `2` or `0.25`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_suffix('m') {
            return positive(digits, 6).map(Self);
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.is_empty() || fraction.len() > 3 || whole.is_empty() || whole.len() > 3 {
            return None;
        }
        // Both together as thousandths.
        positive(&format!("{whole}{fraction:0<3}"), 6).map(Self)
    }
}

impl fmt::Display for Millicores {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => write!(formatter, "{whole}"),
            (_, _) => write!(formatter, "{}m", self.0),
        }
    }
}

/// A whole number of at most so many digits, and not 0.
fn positive(digits: &str, most: usize) -> Option<u64> {
    let is_plain = digits.len() <= most && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|amount| is_plain && *amount > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_written_in_thousandths_unless_it_is_whole() {
        for (text, expected) in [
            ("500m", Some("500m")),
            ("2000m", Some("2")),
            ("999999m", Some("999999m")),
            ("2", Some("2")),
            ("0.5", Some("500m")),
            ("1.25", Some("1250m")),
            ("0.001", Some("1m")),
            ("0", None),
            ("0.0", None),
            ("1000", None),
            ("1.", None),
            (".5", None),
            ("1.2345", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(Millicores::parse(text).map(|found| found.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn memory_is_written_in_the_largest_unit_that_is_whole() {
        for (text, expected) in [
            ("1Mi", Some("1Mi")),
            ("1024Mi", Some("1Gi")),
            ("1536Mi", Some("1536Mi")),
            ("2048Gi", Some("2Ti")),
            ("999999Gi", Some("999999Gi")),
            ("0Mi", None),
            ("-1Mi", None),
            ("+1Mi", None),
            ("1.5Gi", None),
            ("1000000Gi", None),
            ("1Ki", None),
            ("1", None),
            ("Mi", None),
        ] {
            assert_eq!(Mebibytes::parse(text).map(|found| found.to_string()).as_deref(), expected, "{text}");
        }
    }
}
