//! Fixture → validate → plan → golden files, and the plans of pipelines in other states.

mod ingress;
mod pod_templates;

use crds::{AssetPipeline, AssetPipelineStatus, BindingMode, BindingsStatus};
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, Secret},
};
use kube::{Resource, ResourceExt};
use pipeline::{Error, ErrorKind, reach::Unreached};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    subscription::{EndpointSight, Reach, Waiting},
    *,
};
use crate::{
    aws::{
        ObservedBindings, Owner,
        bucket::{Encryption, FoundBucket, Lifecycle, ObservedBucket},
        queue::{FoundQueue, ObservedQueue},
        subscription::{Subscription, SubscriptionStep},
        topic::{FoundTopic, ObservedTopic},
    },
    config::Endpoints,
    names::{KEY_PROGRESS_ANNOTATION, ROTATE_ANNOTATION, SUFFIX_ANNOTATION},
    pipeline::{
        observe::{ObservedChildren, Sight, binding_names, has_finalizer},
        validate::validate,
    },
    tenants::ObservedRegistry,
};

const BASE: &str = "ap-shop-storefront-0123456789";

fn fixture() -> AssetPipeline {
    serde_yaml_ng::from_str(include_str!("fixtures/storefront.yaml")).unwrap()
}

fn chance() -> Chance {
    Chance {
        suffix: BindingSuffix::from_random(0xfeed),
        notice_key: "f".repeat(64),
        now: "2026-11-21T12:00:00Z".parse().unwrap(),
        tenant_seed: "seed".into(),
    }
}

fn owner() -> Owner {
    Owner { cluster: "east".into(), namespace: "shop".into(), name: "storefront".into() }
}

fn queue(name: &str) -> ObservedQueue {
    ObservedQueue::Found(FoundQueue {
        url: format!("http://aws.test:5000/1/{name}"),
        arn: format!("arn:aws:sqs:eu-west-1:1:{name}"),
        attributes: [].into(),
        tags: owner().owned_tags(),
    })
}

/// Everything exists, with nothing configured but the tags.
fn bindings() -> ObservedBindings {
    let arn = format!("arn:aws:sns:eu-west-1:1:{BASE}");
    ObservedBindings {
        bucket: ObservedBucket::Found(FoundBucket {
            tags: owner().owned_tags(),
            holds_objects: false,
            blocks_public_access: false,
            encryption: Encryption::Nothing,
            versioning: None,
            lifecycle: Lifecycle::default(),
            policy: None,
        }),
        dead_letter_queue: queue(&format!("{BASE}-dead")),
        queue: queue(BASE),
        refresh_queue: queue(&format!("{BASE}-refresh")),
        topic: ObservedTopic::Found(FoundTopic { arn, attributes: [].into(), tags: owner().owned_tags() }),
        subscriptions: vec![],
    }
}

/// What the status tells of them.
fn told() -> BindingsStatus {
    BindingsStatus {
        bucket: Some(BASE.into()),
        queue_url: Some(format!("http://aws.test:5000/1/{BASE}")),
        refresh_queue_url: Some(format!("http://aws.test:5000/1/{BASE}-refresh")),
        topic_arn: Some(format!("arn:aws:sns:eu-west-1:1:{BASE}")),
        ..BindingsStatus::default()
    }
}

fn settle(object: &AssetPipeline, bindings: Sight<ObservedBindings>, children: ObservedChildren) -> Settle {
    settle_at(object, bindings, children, Reach::Answers)
}

/// While the endpoint answers like this.
fn settle_at(
    object: &AssetPipeline,
    bindings: Sight<ObservedBindings>,
    children: ObservedChildren,
    reach: Reach,
) -> Settle {
    settle_by(&Config::fixture(), object, bindings, children, reach)
}

fn settle_by(
    config: &Config,
    object: &AssetPipeline,
    bindings: Sight<ObservedBindings>,
    children: ObservedChildren,
    reach: Reach,
) -> Settle {
    let observed = Observed {
        has_finalizer: has_finalizer(object),
        left_behind: Sight::Nothing,
        bindings,
        registry: Sight::Seen(ObservedRegistry::default()),
        children,
        endpoint: EndpointSight { reach, waiting: Waiting::default() },
        missing_secrets: vec![],
    };
    match plan(&validate(object).unwrap(), observed, config, &chance()) {
        Plan::Settle(settle) => *settle,
        other @ (Plan::Claim(_) | Plan::Unknown(_)) => panic!("a claimed pipeline was met by {other:?}"),
    }
}

fn applied<K: Clone>(change: &Change<K>) -> K {
    match change {
        Change::Create(object) | Change::Apply(object) => (**object).clone(),
        Change::Keep(_) | Change::Delete { .. } | Change::Nothing | Change::Foreign { .. } => {
            panic!("the child is not applied")
        }
    }
}

/// What the API server would give back: the same object, after a trip through JSON.
fn stored<K: Clone + Serialize + DeserializeOwned>(change: &Change<K>) -> K {
    serde_json::from_value(serde_json::to_value(applied(change)).unwrap()).unwrap()
}

fn stored_children(children: &Children) -> ObservedChildren {
    ObservedChildren {
        web_service_account: Some(stored(&children.web_service_account)),
        worker_service_account: Some(stored(&children.worker_service_account)),
        notice_secret: Some(stored(&children.notice_secret)),
        bindings_config_map: Some(stored(&children.bindings_config_map)),
        peers_service: Some(stored(&children.peers_service)),
        service: Some(stored(&children.service)),
        web_disruption_budget: Some(stored(&children.web_disruption_budget)),
        worker_disruption_budget: Some(stored(&children.worker_disruption_budget)),
        web_network_policy: Some(stored(&children.web_network_policy)),
        worker_network_policy: Some(stored(&children.worker_network_policy)),
        worker_deployment: Some(stored(&children.worker_deployment)),
        web_deployment: Some(stored(&children.web_deployment)),
        ingress: Some(stored(&children.ingress)),
    }
}

/// The pipeline's own web Deployment, with a pod that would answer.
fn ready_web() -> Deployment {
    let owner = fixture().controller_owner_ref(&());
    let metadata = serde_json::json!({"ownerReferences": [owner]});
    serde_json::from_value(serde_json::json!({"metadata": metadata, "status": {"readyReplicas": 1}})).unwrap()
}

fn is_kept<K>(change: &Change<K>) -> bool {
    matches!(change, Change::Keep(_))
}

#[test]
fn children_of_a_full_spec_are_the_golden_ones() {
    let children = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    insta::assert_yaml_snapshot!("web_service_account", applied(&children.web_service_account));
    insta::assert_yaml_snapshot!("worker_service_account", applied(&children.worker_service_account));
    insta::assert_yaml_snapshot!("notice_secret", applied(&children.notice_secret));
    insta::assert_yaml_snapshot!("bindings_config_map", applied(&children.bindings_config_map));
    insta::assert_yaml_snapshot!("peers_service", applied(&children.peers_service));
    insta::assert_yaml_snapshot!("service", applied(&children.service));
    insta::assert_yaml_snapshot!("web_disruption_budget", applied(&children.web_disruption_budget));
    insta::assert_yaml_snapshot!("worker_disruption_budget", applied(&children.worker_disruption_budget));
    insta::assert_yaml_snapshot!("web_network_policy", applied(&children.web_network_policy));
    insta::assert_yaml_snapshot!("worker_network_policy", applied(&children.worker_network_policy));
    insta::assert_yaml_snapshot!("worker_deployment", applied(&children.worker_deployment));
    insta::assert_yaml_snapshot!("web_deployment", applied(&children.web_deployment));
    insta::assert_yaml_snapshot!("ingress", applied(&children.ingress));
}

#[test]
fn unclaimed_pipeline_is_claimed_before_anything_is_made() {
    let mut object = fixture();
    object.metadata.finalizers = None;
    let look = |object: &AssetPipeline| Observed {
        has_finalizer: has_finalizer(object),
        left_behind: Sight::Nothing,
        bindings: Sight::Nothing,
        registry: Sight::Nothing,
        children: ObservedChildren::default(),
        endpoint: EndpointSight { reach: Reach::Answers, waiting: Waiting::default() },
        missing_secrets: vec![],
    };
    // The names that are there already are kept, whoever removed the finalizer.
    let claim = plan(&validate(&object).unwrap(), look(&object), &Config::fixture(), &chance());
    assert!(matches!(claim, Plan::Claim(suffix) if suffix.to_string() == "0123456789"));
    object.metadata.annotations.as_mut().unwrap().remove(SUFFIX_ANNOTATION);
    let claim = plan(&validate(&object).unwrap(), look(&object), &Config::fixture(), &chance());
    assert!(matches!(claim, Plan::Claim(suffix) if suffix == chance().suffix));
}

#[test]
fn what_an_earlier_pipeline_left_is_taken_back() {
    let mut object = fixture();
    object.metadata.annotations = None;
    let look = |left_behind| Observed {
        has_finalizer: false,
        left_behind,
        bindings: Sight::Nothing,
        registry: Sight::Nothing,
        children: ObservedChildren::default(),
        endpoint: EndpointSight { reach: Reach::Answers, waiting: Waiting::default() },
        missing_secrets: vec![],
    };
    let plan =
        |left_behind| plan(&validate(&object).unwrap(), look(left_behind), &Config::fixture(), &chance());
    let left: BindingSuffix = "00000000aa".parse().unwrap();
    assert!(matches!(plan(Sight::Seen(Some(left.clone()))), Plan::Claim(suffix) if suffix == left));
    assert!(matches!(plan(Sight::Seen(None)), Plan::Claim(suffix) if suffix == chance().suffix));
    let denied = Sight::Failed(Error::new(ErrorKind::Denied, "look for buckets"));
    assert!(matches!(plan(denied), Plan::Unknown(_)), "it was taken for nothing left");
}

#[test]
fn given_name_that_looks_drawn_tells_no_suffix() {
    let mut object = fixture();
    object.spec.bindings.bucket.mode = BindingMode::Adopt;
    object.spec.bindings.bucket.name = Some("ap-old-shop-00000000aa".into());
    let mut told = told();
    told.bucket = object.spec.bindings.bucket.name.clone();
    object.status = Some(AssetPipelineStatus { bindings: Some(told), ..AssetPipelineStatus::default() });
    assert!(validate(&object).is_ok(), "the annotation was taken for changed by hand");
    let names = binding_names(&object).unwrap();
    assert_eq!((names.bucket.as_str(), names.queue.as_str()), ("ap-old-shop-00000000aa", BASE));
}

#[test]
fn lost_suffix_is_taken_back_from_the_status() {
    let mut object = fixture();
    object.metadata.annotations.as_mut().unwrap().remove(SUFFIX_ANNOTATION);
    object.status = Some(AssetPipelineStatus { bindings: Some(told()), ..AssetPipelineStatus::default() });
    let observed = Observed {
        has_finalizer: true,
        left_behind: Sight::Nothing,
        bindings: Sight::Seen(bindings()),
        registry: Sight::Seen(ObservedRegistry::default()),
        children: ObservedChildren::default(),
        endpoint: EndpointSight { reach: Reach::Answers, waiting: Waiting::default() },
        missing_secrets: vec![],
    };
    let claim = plan(&validate(&object).unwrap(), observed, &Config::fixture(), &chance());
    assert!(matches!(claim, Plan::Claim(suffix) if suffix.to_string() == "0123456789"));
    assert_eq!(binding_names(&object).unwrap().bucket, BASE);
}

#[test]
fn children_as_they_were_applied_are_kept() {
    let first = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    let mut observed = stored_children(&first);
    // The scaler's and a person's fields are not ours, so they are no drift.
    let worker = observed.worker_deployment.as_mut().unwrap().spec.as_mut().unwrap();
    worker.replicas = Some(7);
    let container = &mut worker.template.spec.as_mut().unwrap().containers[0];
    container.env.as_mut().unwrap().insert(0, pod::env_value("RUST_LOG", "debug"));
    let second = settle(&fixture(), Sight::Seen(bindings()), observed).children;
    let Children {
        web_service_account,
        worker_service_account,
        notice_secret,
        bindings_config_map,
        peers_service,
        service,
        web_disruption_budget,
        worker_disruption_budget,
        web_network_policy,
        worker_network_policy,
        worker_birth,
        worker_deployment,
        web_deployment,
        ingress,
    } = &second;
    assert!(is_kept(web_service_account) && is_kept(worker_service_account) && is_kept(notice_secret));
    assert!(is_kept(bindings_config_map) && is_kept(peers_service) && is_kept(service) && is_kept(ingress));
    assert!(is_kept(web_disruption_budget) && is_kept(worker_disruption_budget));
    assert!(is_kept(web_network_policy) && is_kept(worker_network_policy));
    assert!(is_kept(worker_deployment) && is_kept(web_deployment));
    assert_eq!(*worker_birth, Change::Nothing);
}

#[test]
fn workers_are_born_with_no_replicas_and_never_told_a_number_again() {
    let children = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    let replicas = |deployment: Deployment| deployment.spec.unwrap().replicas;
    assert_eq!(replicas(applied(&children.worker_birth)), Some(0));
    // What the scaler's manager sets, too, would stay when the spec no longer says it.
    let pod = applied(&children.worker_birth).spec.unwrap().template.spec.unwrap();
    let named = |container: &Container| Container {
        name: container.name.clone(),
        image: container.image.clone(),
        ..Container::default()
    };
    assert_eq!(pod.containers.iter().map(named).collect::<Vec<_>>(), pod.containers);
    assert_eq!(replicas(applied(&children.worker_deployment)), None);
    // A crash between the two writes must not leave the Deployment to the scaler alone.
    let newborn = ObservedChildren {
        worker_deployment: Some(stored(&children.worker_birth)),
        ..ObservedChildren::default()
    };
    let next = settle(&fixture(), Sight::Seen(bindings()), newborn).children;
    assert_eq!((&next.worker_birth, replicas(applied(&next.worker_deployment))), (&Change::Nothing, None));
}

#[test]
fn notice_key_is_drawn_once() {
    let keys = |secret: Secret| String::from_utf8(secret.data.unwrap()["keys"].0.clone()).unwrap();
    let first = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    assert_eq!(keys(applied(&first.notice_secret)), format!("{}\n", "f".repeat(64)));
    let mut observed = stored_children(&first);
    let secret = observed.notice_secret.as_mut().unwrap();
    secret.data.as_mut().unwrap().get_mut("keys").unwrap().0 = b"older\n".to_vec();
    let second = settle(&fixture(), Sight::Seen(bindings()), observed).children;
    assert_eq!(keys(applied(&second.notice_secret)), "older\n");
}

#[test]
fn settled_keys_are_not_written_again_and_a_wish_has_another_key_accepted() {
    let keys = |secret: Secret| String::from_utf8(secret.data.unwrap()["keys"].0.clone()).unwrap();
    let first = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    let again = settle(&fixture(), Sight::Seen(bindings()), stored_children(&first)).children;
    assert!(is_kept(&again.notice_secret));
    let mut observed = stored_children(&first);
    let secret = observed.notice_secret.as_mut().unwrap();
    secret.data.as_mut().unwrap().get_mut("keys").unwrap().0 = b"older\n".to_vec();
    let mut wishing = fixture();
    wishing.annotations_mut().insert(ROTATE_ANNOTATION.to_owned(), "now".to_owned());
    let wished = settle(&wishing, Sight::Seen(bindings()), observed).children;
    let secret = applied(&wished.notice_secret);
    assert_eq!(secret.annotations()[ROTATE_ANNOTATION], "now");
    assert_eq!(secret.annotations()[KEY_PROGRESS_ANNOTATION], "Introduced since 2026-11-21T12:00:00Z");
    assert_eq!(keys(secret), format!("older\n{}\n", "f".repeat(64)));
}

#[test]
fn pods_reach_each_service_where_the_settings_say() {
    let variables = |endpoints: Endpoints| {
        let mut config = Config::fixture();
        config.workloads.endpoints = endpoints;
        let seen = Sight::Seen(bindings());
        let settled = settle_by(&config, &fixture(), seen, ObservedChildren::default(), Reach::Answers);
        let web = applied(&settled.children.web_deployment);
        [web, applied(&settled.children.worker_deployment)].map(|deployment| {
            let pod = deployment.spec.unwrap().template.spec.unwrap();
            let all = pod.containers[0].env.clone().unwrap();
            let of_ours = all.into_iter().filter(|variable| variable.name.starts_with("AWS_ENDPOINT_URL"));
            of_ours.map(|variable| (variable.name, variable.value.unwrap())).collect::<Vec<_>>()
        })
    };
    let at = |host: &str| format!("https://{host}.internal").parse().ok();
    let all = Endpoints { all: at("all"), s3: at("s3"), sqs: at("sqs"), sns: at("sns"), sts: at("sts") };
    let expected = [("", "all"), ("_S3", "s3"), ("_SQS", "sqs"), ("_SNS", "sns"), ("_STS", "sts")]
        .map(|(end, host)| (format!("AWS_ENDPOINT_URL{end}"), format!("https://{host}.internal")));
    assert_eq!(variables(all), [expected.to_vec(), expected.to_vec()]);
    assert_eq!(variables(Endpoints::default()), [vec![], vec![]]);
}

#[test]
fn pods_wait_for_the_bindings_and_outlive_an_outage_of_aws() {
    let failed = || Sight::Failed(Error::new(ErrorKind::Unavailable, "look"));
    let new = settle(&fixture(), failed(), ObservedChildren::default());
    assert_eq!(new.children.web_deployment, Change::Nothing);
    assert_eq!(new.children.worker_birth, Change::Nothing);
    assert_eq!(new.children.bindings_config_map, Change::Nothing);
    assert!(matches!(new.children.service, Change::Create(_)), "what needs no bindings is made all the same");
    let running = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    let during = settle(&fixture(), failed(), stored_children(&running));
    assert!(is_kept(&during.children.web_deployment) && is_kept(&during.children.worker_deployment));
    assert!(is_kept(&during.children.bindings_config_map));
    assert!(matches!((during.bindings, during.registry), (BindingsStep::Unknown(_), RegistryStep::Waiting)));
}

#[test]
fn replicas_change_during_an_outage_of_aws_with_the_bindings_as_last_told() {
    let failed = || Sight::Failed(Error::new(ErrorKind::Unavailable, "look"));
    let running = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    let mut object = fixture();
    object.status = Some(AssetPipelineStatus { bindings: Some(told()), ..AssetPipelineStatus::default() });
    // The same pods are wanted from what was told as from what was seen.
    let same = settle(&object, failed(), stored_children(&running)).children;
    assert!(is_kept(&same.web_deployment) && is_kept(&same.worker_deployment));
    object.spec.web.replicas += 1;
    let during = settle(&object, failed(), stored_children(&running));
    let replicas = applied(&during.children.web_deployment).spec.unwrap().replicas;
    assert_eq!(replicas, Some(object.spec.web.replicas));
    assert!(matches!(during.bindings, BindingsStep::Unknown(_)));
    // Nor do pods start from half of what they need.
    object.status.as_mut().unwrap().bindings.as_mut().unwrap().topic_arn = None;
    let half = settle(&object, failed(), ObservedChildren::default()).children;
    assert_eq!(half.web_deployment, Change::Nothing);
}

#[test]
fn foreign_bucket_stops_aws_and_registry() {
    let ObservedBucket::Found(bucket) = bindings().bucket else { panic!("the bucket is there") };
    let tags = Owner { name: "blog".into(), ..owner() }.owned_tags();
    let bucket = ObservedBucket::Found(FoundBucket { tags, ..bucket });
    let foreign = ObservedBindings { bucket, ..bindings() };
    let settle = settle(&fixture(), Sight::Seen(foreign), ObservedChildren::default());
    assert!(matches!(settle.bindings, BindingsStep::Refused(_)));
    assert!(matches!(settle.registry, RegistryStep::Waiting));
    assert_eq!(settle.children.web_deployment, Change::Nothing);
}

#[test]
fn endpoint_is_subscribed_once_a_web_pod_could_confirm() {
    let unready = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default());
    assert_eq!(unready.subscription, SubscriptionState::WaitingForWeb);
    let mut children = stored_children(&unready.children);
    children.web_deployment = Some(ready_web());
    let ready = settle(&fixture(), Sight::Seen(bindings()), children);
    let BindingsStep::Work { plan, .. } = ready.bindings else { panic!("nothing is to be done") };
    assert!(matches!(&plan.subscription[..], [SubscriptionStep::Subscribe { .. }]));
    assert_eq!(ready.subscription, SubscriptionState::Pending);
}

#[test]
fn endpoint_that_does_not_lead_to_the_web_pods_leaves_subscriptions_as_they_are() {
    let endpoint = "https://old.example.com/work_complete".to_owned();
    let old = Subscription { arn: Some("arn:old".into()), protocol: "https".into(), endpoint };
    let children = || ObservedChildren { web_deployment: Some(ready_web()), ..ObservedChildren::default() };
    for (reach, expected) in [(Reach::Silent(Unreached::Foreign(404)), 0), (Reach::Answers, 2)] {
        let seen = ObservedBindings { subscriptions: vec![old.clone()], ..bindings() };
        let settle = settle_at(&fixture(), Sight::Seen(seen), children(), reach);
        let BindingsStep::Work { plan, .. } = settle.bindings else { panic!("nothing is to be done") };
        assert_eq!(plan.subscription.len(), expected, "{:?}", plan.subscription);
        let is_told = matches!(settle.subscription, SubscriptionState::Unreachable { .. });
        assert_eq!(is_told, expected == 0);
    }
}

#[test]
fn ingress_that_is_no_longer_wanted_is_deleted() {
    let first = settle(&fixture(), Sight::Seen(bindings()), ObservedChildren::default()).children;
    let mut object = fixture();
    object.spec.ingress = None;
    let second = settle(&object, Sight::Seen(bindings()), stored_children(&first)).children;
    assert_eq!(second.ingress, Change::Delete { name: "storefront".into(), uid: None });
}

#[test]
fn confirmed_subscription_is_told_with_its_arn() {
    let endpoint = "https://hooks.example.com/work_complete".to_owned();
    let subscription =
        Subscription { arn: Some("arn:sub".into()), protocol: "https".into(), endpoint: endpoint.clone() };
    let seen = ObservedBindings { subscriptions: vec![subscription], ..bindings() };
    let children = ObservedChildren { web_deployment: Some(ready_web()), ..ObservedChildren::default() };
    let settle = settle(&fixture(), Sight::Seen(seen), children);
    let BindingsStep::Work { status, .. } = settle.bindings else { panic!("nothing is to be done") };
    assert_eq!(status.subscription_arn.as_deref(), Some("arn:sub"));
    assert_eq!(settle.subscription, SubscriptionState::Confirmed);
}

#[test]
fn subscription_that_stands_is_told_while_no_web_pod_could_confirm_another() {
    let mut object = fixture();
    let arn = || Some("arn:sub".to_owned());
    let told = BindingsStatus { subscription_arn: arn(), ..told() };
    object.status.get_or_insert_default().bindings = Some(told);
    let endpoint = "https://old.example.com/work_complete".to_owned();
    let stands = Subscription { arn: arn(), protocol: "https".into(), endpoint };
    for (subscriptions, expected) in [(vec![stands], arn()), (vec![], None)] {
        let seen = ObservedBindings { subscriptions, ..bindings() };
        let settle = settle(&object, Sight::Seen(seen), ObservedChildren::default());
        let (BindingsStep::Work { status, .. } | BindingsStep::Settled(status)) = settle.bindings else {
            panic!("the bindings cannot be used")
        };
        assert_eq!(status.subscription_arn, expected);
    }
}
