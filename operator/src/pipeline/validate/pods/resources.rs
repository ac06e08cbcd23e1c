//! CPU and memory of a tier's pods: what the spec says, and for the rest what the tier needs.

use crds::{PodAmounts, PodResources};

use super::{
    super::{InvalidSpec, invalid},
    quantity::{Mebibytes, Millicores},
};

/// What a tier's pods ask for, and may have at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    pub cpu_request: Millicores,
    pub memory_request: Mebibytes,
    /// By default there is none: throttling would only make visitors wait.
    pub cpu_limit: Option<Millicores>,
    pub memory_limit: Mebibytes,
}

/// `needed` is what the tier's pods have unless the spec says otherwise; less memory than its limit is too little.
pub(super) fn validate(
    field: &str,
    given: Option<&PodResources>,
    needed: Resources,
) -> Result<Resources, InvalidSpec> {
    let PodResources { requests, limits } = given.cloned().unwrap_or_default();
    let (PodAmounts { cpu, memory }, limits) = (requests.unwrap_or_default(), limits.unwrap_or_default());
    let found = Resources {
        cpu_request: parse_cpu(&format!("{field}.requests.cpu"), cpu)?.unwrap_or(needed.cpu_request),
        memory_request: parse_memory(&format!("{field}.requests.memory"), memory)?
            .unwrap_or(needed.memory_request),
        cpu_limit: parse_cpu(&format!("{field}.limits.cpu"), limits.cpu)?.or(needed.cpu_limit),
        memory_limit: parse_memory(&format!("{field}.limits.memory"), limits.memory)?
            .unwrap_or(needed.memory_limit),
    };
    if found.memory_limit < needed.memory_limit {
        let least = needed.memory_limit;
        let problem = format!("pods at work may come to need {least}; raise it, or leave it out");
        return Err(invalid(&format!("{field}.limits.memory"), &found.memory_limit, &problem));
    }
    if found.memory_request > found.memory_limit {
        let problem = format!("the limit is {}; lower it, or raise limits.memory", found.memory_limit);
        return Err(invalid(&format!("{field}.requests.memory"), &found.memory_request, &problem));
    }
    if let Some(limit) = found.cpu_limit.filter(|limit| *limit < found.cpu_request) {
        let problem = format!("the request is {}; raise it, or lower requests.cpu", found.cpu_request);
        return Err(invalid(&format!("{field}.limits.cpu"), &limit, &problem));
    }
    Ok(found)
}

fn parse_cpu(field: &str, text: Option<String>) -> Result<Option<Millicores>, InvalidSpec> {
    let parse = |text: String| {
        let refuse = || invalid(field, &text, "it must be a number of CPUs, such as 2, 0.5 or 500m");
        Millicores::parse(&text).ok_or_else(refuse)
    };
    text.map(parse).transpose()
}

fn parse_memory(field: &str, text: Option<String>) -> Result<Option<Mebibytes>, InvalidSpec> {
    let parse = |text: String| {
        let refuse = || invalid(field, &text, "it must be a number of MiB or GiB, such as 512Mi");
        Mebibytes::parse(&text).ok_or_else(refuse)
    };
    text.map(parse).transpose()
}
