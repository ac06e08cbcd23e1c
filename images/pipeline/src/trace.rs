//! W3C trace context (<https://www.w3.org/TR/trace-context/>): which request caused what.
//!
//! Passes traces on from requests to holds, jobs and logs. Deliberately exports nothing.

/// Length of a version 00 `traceparent`.
const LENGTH: usize = 55;

/// One step of a trace, as a `traceparent` header of version 00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(String);

impl TraceParent {
    /// A new step of the trace that the header names, or of a new trace where it names none.
    pub fn continuing(header: Option<&str>) -> Self {
        let (trace, flags) = header.and_then(parse).map_or_else(
            || (hex(rand::random::<u128>().max(1)), "00"),
            |(trace, is_sampled)| (trace.to_owned(), if is_sampled { "01" } else { "00" }),
        );
        let step = rand::random::<u64>().max(1);
        Self(format!("00-{trace}-{step:016x}-{flags}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 32 hex digits that all steps of the trace share.
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }
}

fn hex(number: u128) -> String {
    format!("{number:032x}")
}

/// The trace's id, and whether its parent may have been recorded.
fn parse(header: &str) -> Option<(&str, bool)> {
    let version = header.get(..2)?;
    // What versions to come append is not for us.
    let is_of_known_length = match header.get(LENGTH..)? {
        "" => true,
        more => version != "00" && more.starts_with('-'),
    };
    let mut parts = header.get(2..LENGTH)?.split('-').skip(1);
    let (trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let is_valid = is_of_known_length
        && parts.next().is_none()
        && version != "ff"
        && is_hex(version, 2)
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && trace.bytes().any(|digit| digit != b'0')
        && parent.bytes().any(|digit| digit != b'0');
    let flags = u8::from_str_radix(flags, 16).ok()?;
    is_valid.then_some((trace, flags & 1 == 1))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn valid_parent_keeps_its_trace_and_gets_a_new_step() {
        for (header, flags) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), "01"),
            (format!("00-{TRACE}-00f067aa0ba902b7-02"), "00"),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-what-the-future-brings"), "01"),
        ] {
            let step = TraceParent::continuing(Some(&header));
            assert_eq!(step.trace_id(), TRACE);
            assert_eq!((step.as_str().len(), &step.as_str()[53..]), (LENGTH, flags));
            assert!(step.as_str().starts_with("00-") && !step.as_str().contains("00f067aa0ba902b7"));
            let next = TraceParent::continuing(Some(step.as_str()));
            assert_eq!(next.trace_id(), TRACE, "our own steps are valid parents");
        }
    }

    #[test]
    fn anything_else_begins_a_trace_of_its_own() {
        let parent = "00f067aa0ba902b7";
        let zeros = "00000000000000000000000000000000";
        for header in [
            None,
            Some(String::new()),
            Some(format!("00-{TRACE}-{parent}")),
            Some(format!("00-{TRACE}-{parent}-01-more")),
            Some(format!("ff-{TRACE}-{parent}-01")),
            Some(format!("00-{}-{parent}-01", TRACE.to_uppercase())),
            Some(format!("00-{zeros}-{parent}-01")),
            Some(format!("00-{TRACE}-{}-01", &zeros[..16])),
            Some(format!("00-{TRACE}-{parent}-0x")),
            Some(format!("00_{TRACE}_{parent}_01")),
            Some("ä".repeat(40)),
        ] {
            let [one, other] = [(); 2].map(|()| TraceParent::continuing(header.as_deref()));
            assert_ne!(one.trace_id(), other.trace_id(), "{header:?}");
            assert_eq!((one.as_str().len(), one.trace_id().len()), (LENGTH, 32));
        }
    }
}
