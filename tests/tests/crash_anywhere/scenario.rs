//! What a pipeline goes through, and how it all stands afterwards.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::{hands::WithQueues, process::Operator, wire::Fault, world::World};

/// What somebody wants, from a world in which everything before it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scenario {
    Create,
    Adopt,
    AdoptOrCreate,
    /// What the pods are told, their number, the tenants and the Ingress.
    Update,
    UpdateEndpoint,
    UpdatePolicies,
    DeleteAndRetain,
    DeleteAll,
    DeleteAdopted,
    /// The manifest is applied again after its pipeline was deleted.
    CreateAgain,
}

impl Scenario {
    /// A world in which the pipeline is about to go through it.
    pub(crate) async fn given(self, world: &World) -> Result<()> {
        let hands = world.hands().await;
        hands.make_bystanders(world).await?;
        let earlier = match self {
            Self::Create => return Ok(()),
            Self::Adopt => return hands.make_given(world, WithQueues::Yes).await,
            Self::AdoptOrCreate => return hands.make_given(world, WithQueues::No).await,
            Self::Update | Self::UpdateEndpoint | Self::UpdatePolicies => created(),
            Self::DeleteAndRetain | Self::CreateAgain => with_policy(created(), "Retain"),
            Self::DeleteAll => with_policy(created(), "Delete"),
            Self::DeleteAdopted => {
                hands.make_given(world, WithQueues::Yes).await?;
                with_policy(bound(world, "Adopt"), "Delete")
            }
        };
        hands.create_pipeline(world, &earlier).await?;
        settle(world).await?;
        if self == Self::CreateAgain {
            hands.delete_pipeline(world).await?;
            settle(world).await?;
        }
        Ok(())
    }

    /// What the person does.
    pub(crate) async fn begin(self, world: &World) -> Result<()> {
        let hands = world.hands().await;
        match self {
            Self::Create => hands.create_pipeline(world, &created()).await,
            Self::Adopt => hands.create_pipeline(world, &bound(world, "Adopt")).await,
            Self::AdoptOrCreate => hands.create_pipeline(world, &bound(world, "AdoptOrCreate")).await,
            Self::CreateAgain => hands.create_pipeline(world, &with_policy(created(), "Retain")).await,
            Self::Update => {
                let tenants = json!([
                    {"host": "shop.example.com", "origin": "https://new.example.com"},
                    {"host": "news.example.com", "origin": "https://news.example.com"},
                ]);
                let spec = json!({
                    "web": {"replicas": 4, "holdSeconds": 24}, "compile": {"style": "Expanded"}, "ingress": null,
                    "networkPolicies": "None",
                    "tenants": tenants, "bindings": {"tags": {"cost-center": null, "team": "shop"}},
                });
                hands.change_pipeline(world, &spec).await
            }
            Self::UpdateEndpoint => {
                let endpoint = json!({"endpoint": "https://other.example.com/work_complete"});
                hands.change_pipeline(world, &json!({"notifications": endpoint})).await
            }
            Self::UpdatePolicies => hands.change_pipeline(world, &with_policy(json!({}), "Retain")).await,
            Self::DeleteAndRetain | Self::DeleteAll | Self::DeleteAdopted => {
                hands.delete_pipeline(world).await
            }
        }
    }

    /// What is sure of the end, whatever else it is: the states that tags tell, and whether the pipeline is ready.
    pub(crate) fn check_end(self, state: &Value) -> Result<()> {
        let aws = state["aws"].to_string();
        let count = |word: &str| aws.matches(word).count();
        let found = (count("owned"), count("adopted"), count("released"));
        // One bystander of each kind is another pipeline's, and one was released in another cluster.
        let expected = match self {
            Self::Create | Self::Update | Self::UpdateEndpoint | Self::UpdatePolicies | Self::CreateAgain => {
                (3 + 5, 0, 3)
            }
            Self::Adopt => (3, 5, 3),
            Self::AdoptOrCreate => (3 + 3, 2, 3),
            Self::DeleteAndRetain => (3, 0, 3 + 5),
            Self::DeleteAll | Self::DeleteAdopted => (3, 0, 3),
        };
        ensure!(found == expected, "owned, adopted, released: {found:?}, not {expected:?}: {state:#}");
        let objects = state["cluster"].as_array().cloned().unwrap_or_default();
        let pipeline = objects.iter().find(|object| object["kind"] == "AssetPipeline");
        let ready = pipeline.map(|pipeline| {
            let conditions = pipeline["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        });
        let expected = match self {
            Self::DeleteAndRetain | Self::DeleteAll | Self::DeleteAdopted => None,
            _ => Some(true),
        };
        ensure!(ready == expected, "ready: {ready:?}, not {expected:?}: {state:#}");
        Ok(())
    }
}

/// An operator on whom nothing goes wrong brings everything to rest.
pub(crate) async fn settle(world: &World) -> Result<()> {
    Operator::start(world, Fault::Nothing).await?.run(world).await
}

fn created() -> Value {
    json!({
        "bindings": {"tags": {"cost-center": "42"}},
        "ingress": {},
        "notifications": {"endpoint": "https://hooks.example.com/work_complete"},
        "tenants": [
            {"host": "shop.example.com", "origin": "https://www.example.com"},
            {"host": "blog.example.com", "origin": "https://blog.example.com"},
        ],
    })
}

fn bound(world: &World, mode: &str) -> Value {
    let [bucket, visits, refreshes, dead, topic] = world.given();
    let mut spec = created();
    spec["bindings"] = json!({
        "bucket": {"mode": mode, "name": bucket},
        "queues": {"mode": mode, "names": {"visits": visits, "refreshes": refreshes, "deadLetters": dead}},
        "topic": {"mode": mode, "name": topic},
        // Of the one key people have a tag of their own.
        "tags": {"cost-center": "42", "team": "shop"},
    });
    spec
}

/// With this policy for everything; `Delete` takes the files along.
fn with_policy(mut spec: Value, policy: &str) -> Value {
    for part in ["bucket", "queues", "topic"] {
        spec["bindings"][part]["deletionPolicy"] = json!(policy);
    }
    if policy == "Delete" {
        spec["bindings"]["bucket"]["whenNotEmpty"] = json!("DeleteAllObjects");
    }
    spec
}
