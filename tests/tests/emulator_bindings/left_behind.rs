//! A manifest that is applied again takes the same resources back.

use anyhow::Result;
use operator::aws::{BindingNames, Owner, find_left_behind};
use serde_json::json;
use tests::moto::Moto;

use crate::stage::{Stage, clients, tags_of};

#[tokio::test]
async fn released_bucket_is_found_by_its_own_pipeline_alone() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    let stage = Stage::new(&clients, "store");
    // Names of this one begin as the other's do.
    let neighbour = Stage::new(&clients, "store-front");
    let spec = stage.spec("Create", &json!({}));
    for stage in [&stage, &neighbour] {
        stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    }
    stage.release(&spec).await?;
    let bindings = serde_json::from_value(spec.clone())?;
    let find = async |owner: &Owner| find_left_behind(&clients, owner, &bindings).await;
    let found = find(&stage.owner).await?.map(|suffix| BindingNames::new("shop", "store", &suffix));
    assert_eq!(found.as_ref(), Some(&stage.names));
    // One that lost its object without its finalizer's work is its own still.
    let found = find(&neighbour.owner).await?.map(|suffix| BindingNames::new("shop", "store-front", &suffix));
    assert_eq!(found.as_ref(), Some(&neighbour.names));
    for other in [
        Owner { cluster: "west".into(), ..stage.owner.clone() },
        Owner { name: "stor".into(), ..stage.owner.clone() },
        Owner { namespace: "blog".into(), ..stage.owner.clone() },
    ] {
        assert_eq!(find(&other).await?, None, "{other:?}");
    }
    stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    assert_eq!(tags_of(&stage.look().await?), vec![stage.owner.owned_tags(); 5]);
    Ok(())
}

#[tokio::test]
async fn queues_lead_to_the_names_where_the_bucket_is_gone() -> Result<()> {
    let moto = Moto::start()?;
    let clients = clients(&moto).await;
    let stage = Stage::new(&clients, "store");
    let policies = json!({"bucket": {"deletionPolicy": "Delete"}, "queues": {"deletionPolicy": "Retain"}});
    let spec = stage.spec("Create", &policies);
    assert_eq!(find_left_behind(&clients, &stage.owner, &serde_json::from_value(spec.clone())?).await?, None);
    stage.settle(&spec).await?.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
    stage.release(&spec).await?;
    assert_eq!(tags_of(&stage.look().await?), vec![stage.owner.released_tags(); 3]);
    let found = find_left_behind(&clients, &stage.owner, &serde_json::from_value(spec)?).await?;
    let found = found.map(|suffix| BindingNames::new("shop", "store", &suffix));
    assert_eq!(found, Some(stage.names));
    Ok(())
}
