//! What pods ask for of CPU and memory, and what they may have at the most.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Memory that a web pod may come to need, in MiB. More than all that it bounds comes to: held visitors 200 MB,
/// other pods' waits 80, refreshes 40, bodies 64 and what the kernel has of them 96, ready answers 64, manifests 32,
/// tenants 64.
pub const WEB_MEBIBYTES: u64 = 768;
/// Memory of a worker's process that fetches and stores, in MiB.
pub const WORKER_MEBIBYTES: u64 = 256;
/// Memory of one job at its limits, in MiB: of its child, and of its sources, 16 MiB that are kept and 48 of 4 MiB
/// that are on their way. Where a pod passes its own limit the kernel kills the whole container, so that limit
/// leaves room for every job's.
pub const JOB_MEBIBYTES: u64 = 768 + 16 + 48 * 4;

/// CPU (in thousandths) and memory (in MiB) that a pod of a tier asks for unless the spec says otherwise.
pub const WEB_REQUESTS: (u64, u64) = (50, 64);
pub const WORKER_REQUESTS: (u64, u64) = (100, 128);

/// CPU and memory of a pod.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodResources {
    /// What a node must have free for a pod. Absent: for web pods `50m` and `64Mi`, for workers `100m` and `128Mi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<PodAmounts>,
    /// What a pod may have at the most. Absent: all CPU that is free, since to wait for its turn would make visitors
    /// wait; and as much memory as a pod may come to need, for web pods `768Mi`, for workers 256 MiB and 976 MiB for
    /// each of `spec.worker.concurrency`. Less memory is refused: the kernel would end pods at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<PodAmounts>,
}

/// Amounts of CPU and memory.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodAmounts {
    /// CPUs, or thousandths of one with `m`: `2`, `0.5`, `500m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 7),
        regex(pattern = r"^([1-9][0-9]{0,5}m|[1-9][0-9]{0,2}|(0|[1-9][0-9]{0,2})[.][0-9]{0,2}[1-9])$")
    )]
    pub cpu: Option<String>,
    /// Memory in MiB or GiB, up to 9999 GiB: `512Mi`, `4Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8), regex(pattern = r"^([1-9][0-9]{0,5}Mi|[1-9][0-9]{0,3}Gi)$"))]
    pub memory: Option<String>,
}

/// The rules of the web pods' resources.
pub(crate) fn web_rules() -> Value {
    let least = format!("{WEB_MEBIBYTES} MiB, which a web pod may come to need");
    rules("spec.web", WEB_REQUESTS, &WEB_MEBIBYTES.to_string(), &least).into()
}

/// The rules of a `WorkerSpec`, of which all but the first are of the pods' resources.
pub(crate) fn worker_rules() -> Value {
    let mut all = vec![json!({
        "rule": "self.minReplicas <= self.maxReplicas",
        "message": "spec.worker.minReplicas must not be above spec.worker.maxReplicas: lower the one or raise the other"
    })];
    let needed = format!("({WORKER_MEBIBYTES} + {JOB_MEBIBYTES} * self.concurrency)");
    let least = format!(
        "{WORKER_MEBIBYTES} MiB and {JOB_MEBIBYTES} MiB for each of spec.worker.concurrency, which its jobs may come \
         to need"
    );
    all.extend(rules("spec.worker", WORKER_REQUESTS, &needed, &least));
    all.into()
}

/// Rules for a tier whose pods may need so many MiB, an expression, and in words. The API server takes no rule that
/// makes a text of a number, since it cannot bound what that costs: so the words are always the same.
fn rules(tier: &str, (cpu, memory): (u64, u64), needed: &str, least: &str) -> [Value; 3] {
    let field = format!("{tier}.podTemplate.resources");
    let needed = format!("{needed} * 1048576");
    let (has_limit, limit) = given("limits", "memory");
    let (has_request, request) = given("requests", "memory");
    let (has_cpu_limit, cpu_limit) = given("limits", "cpu");
    let (has_cpu_request, cpu_request) = given("requests", "cpu");
    [
        json!({
            "rule": format!("!({has_limit}) || quantity({limit}).asInteger() >= {needed}"),
            "message": format!("{field}.limits.memory must be at least {least}: raise it, or leave it out")
        }),
        json!({
            "rule": format!(
                "({has_request} ? quantity({request}).asInteger() : {memory} * 1048576) <= \
                 ({has_limit} ? quantity({limit}).asInteger() : {needed})"
            ),
            "message": format!("{field}.requests.memory must not be above the limit: lower it, or raise limits.memory"),
        }),
        json!({
            "rule": format!(
                "!({has_cpu_limit}) || \
                 quantity({has_cpu_request} ? {cpu_request} : '{cpu}m').compareTo(quantity({cpu_limit})) <= 0"
            ),
            "message": format!("{field}.limits.cpu must not be below the request, {cpu}m by default: raise it, or lower requests.cpu"),
        }),
    ]
}

/// Expressions for whether an amount is given, and for the amount.
fn given(part: &str, name: &str) -> (String, String) {
    let mut path = "self".to_owned();
    let mut steps = Vec::new();
    for field in ["podTemplate", "resources", part, name] {
        path = format!("{path}.{field}");
        steps.push(format!("has({path})"));
    }
    (steps.join(" && "), path)
}
