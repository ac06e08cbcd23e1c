//! Whether pods serve, and whether visitors can reach them. Pure.

use crds::condition_reason as reason;
use k8s_openapi::api::{apps::v1::Deployment, networking::v1::Ingress};

use super::{Verdict, fails, holds, judge_foreign};
use crate::pipeline::{
    plan::{ForeignChild, Front, MAX_UNAVAILABLE},
    validate::Timeouts,
};

/// Whether visitors are served, and whether all is as the spec asks for: a pod that is missing, and a rollout,
/// are work that goes on while visitors are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Readiness {
    pub(in crate::pipeline) serving: Verdict,
    pub(in crate::pipeline) complete: Verdict,
}

/// Enough are ready while no more are missing than the disruption budget lets a drained node take, and one is
/// there. The Deployment's own `Available` asks for all of them, since its rollouts do.
pub(in crate::pipeline) fn judge_web(deployment: Option<&Deployment>) -> Readiness {
    let Some(deployment) = deployment else {
        let absent = fails(reason::WEB_NOT_READY, "the web pods are not there yet");
        return Readiness { serving: absent.clone(), complete: absent };
    };
    let wanted = wanted_of(deployment);
    let status = deployment.status.clone().unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or_default();
    // A rollout has one more for a while.
    let told = format!("web pods ready: {} of {wanted}", ready.min(wanted));
    if is_complete(deployment) {
        return Readiness { serving: holds(told.clone()), complete: holds(told) };
    }
    let told = format!("{told}, of the newest version: {updated}");
    if ready >= (wanted - MAX_UNAVAILABLE).max(1) {
        Readiness { serving: holds(told.clone()), complete: fails(reason::IN_PROGRESS, told) }
    } else {
        let unready = fails(reason::WEB_NOT_READY, told);
        Readiness { serving: unready.clone(), complete: unready }
    }
}

/// Whether all pods are there, ready and of the newest version, and no more.
pub(in crate::pipeline) fn is_complete(deployment: &Deployment) -> bool {
    let wanted = wanted_of(deployment);
    let status = deployment.status.clone().unwrap_or_default();
    // The Deployment's own controller must have seen the newest spec, or its numbers speak of an older one.
    let is_current = status.observed_generation >= deployment.metadata.generation;
    is_current
        && status.updated_replicas.unwrap_or_default() == wanted
        && status.ready_replicas.unwrap_or_default() >= wanted
        && status.replicas.unwrap_or_default() == wanted
}

/// One worker compiles for everybody, if slowly; the scaler asks for as many as the queues need.
pub(in crate::pipeline) fn judge_workers(deployment: Option<&Deployment>) -> Verdict {
    let Some(deployment) = deployment else {
        return fails(reason::WORKERS_NOT_READY, "the workers' Deployment is not there yet");
    };
    let wanted = wanted_of(deployment);
    let ready = deployment.status.as_ref().and_then(|status| status.ready_replicas).unwrap_or_default();
    if wanted == 0 {
        holds("no worker is wanted: the queues are empty")
    } else if ready == 0 {
        fails(reason::WORKERS_NOT_READY, format!("worker pods ready: 0 of {wanted}"))
    } else {
        holds(format!("worker pods ready: {} of {wanted}", ready.min(wanted)))
    }
}

/// `None` where the spec asks for no Ingress.
pub(in crate::pipeline) fn judge_ingress(
    front: &Front,
    ingress: Option<&Ingress>,
    foreign: &[ForeignChild],
) -> Option<Verdict> {
    let class = front.ingress_class.as_ref()?;
    let foreign: Vec<ForeignChild> =
        foreign.iter().filter(|child| child.kind == "Ingress").cloned().collect();
    if let Some(foreign) = judge_foreign(&foreign) {
        return Some(foreign);
    }
    let Some(ingress) = ingress else {
        let message =
            "spec.ingress has no host to serve: name sites in spec.tenants, or hosts in spec.ingress.hosts";
        return Some(fails(reason::NO_HOSTS, message));
    };
    let addresses = addresses_of(ingress).join(", ");
    Some(if addresses.is_empty() {
        let message = format!("the Ingress has no address yet: the controller of class {class} gives it one");
        fails(reason::WAITING_FOR_LOAD_BALANCER, message)
    } else {
        holds(format!("the load balancer is {addresses}: lead the hosts' DNS names there"))
    })
}

/// Names and addresses of the load balancer.
pub(in crate::pipeline) fn addresses_of(ingress: &Ingress) -> Vec<String> {
    let balancer = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let entries = balancer.and_then(|balancer| balancer.ingress.as_ref()).into_iter().flatten();
    entries.filter_map(|entry| entry.hostname.clone().or_else(|| entry.ip.clone())).collect()
}

pub(in crate::pipeline) fn judge_timeouts(timeouts: &Timeouts) -> Verdict {
    holds(timeouts.to_string())
}

fn wanted_of(deployment: &Deployment) -> i32 {
    deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn front(class: Option<&str>) -> Front {
        let timeouts = Timeouts::from_hold_seconds(25).unwrap();
        Front { url: None, ingress_class: class.map(str::to_owned), timeouts }
    }

    fn told(verdict: &Verdict) -> (bool, &str) {
        (verdict.holds, verdict.reason)
    }

    #[test]
    fn workers_are_available_where_none_is_wanted_or_one_is_ready() {
        let workers = |wanted: i32, ready: i32| -> Deployment {
            let spec = json!({"replicas": wanted, "selector": {}, "template": {}});
            serde_json::from_value(json!({"spec": spec, "status": {"readyReplicas": ready}})).unwrap()
        };
        assert_eq!(told(&judge_workers(None)), (false, "WorkersNotReady"));
        assert_eq!(told(&judge_workers(Some(&workers(0, 0)))), (true, "AsSpecified"));
        let none = judge_workers(Some(&workers(3, 0)));
        assert_eq!(
            (told(&none), none.message.as_str()),
            ((false, "WorkersNotReady"), "worker pods ready: 0 of 3")
        );
        assert_eq!(told(&judge_workers(Some(&workers(3, 1)))), (true, "AsSpecified"));
    }

    #[test]
    fn ingress_is_ready_once_it_has_an_address() {
        let ingress = |addresses: serde_json::Value| -> Ingress {
            serde_json::from_value(json!({"status": {"loadBalancer": {"ingress": addresses}}})).unwrap()
        };
        let judge = |class, ingress: Option<&Ingress>| judge_ingress(&front(class), ingress, &[]);
        assert_eq!(judge(None, None), None);
        assert_eq!(told(&judge(Some("alb"), None).unwrap()), (false, "NoHosts"));
        let waits = judge(Some("alb"), Some(&ingress(json!([])))).unwrap();
        assert_eq!(told(&waits), (false, "WaitingForLoadBalancer"));
        assert!(waits.message.contains("class alb"), "{}", waits.message);
        let balanced = ingress(json!([{"hostname": "lb-1.elb.amazonaws.com"}, {"ip": "10.1.2.3"}]));
        let ready = judge(Some("alb"), Some(&balanced)).unwrap();
        assert_eq!(told(&ready), (true, "AsSpecified"));
        assert!(ready.message.contains("lb-1.elb.amazonaws.com, 10.1.2.3"), "{}", ready.message);
        let child = |kind: &str| ForeignChild { kind: kind.into(), name: "site".into() };
        let foreign = judge_ingress(&front(Some("alb")), None, &[child("Ingress")]).unwrap();
        assert_eq!(told(&foreign), (false, "ForeignResource"));
        let other = judge_ingress(&front(Some("alb")), Some(&balanced), &[child("Service")]).unwrap();
        assert!(other.holds);
    }
}
