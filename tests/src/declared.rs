//! What the API server makes of our definitions: objects as they are applied, and the columns of a list.

use anyhow::{Context, Result};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

/// The namespace of objects that no operator is to see to.
pub const NAMESPACE: &str = "default";

/// What strictly applying the object answers: the object, or the API server's refusal.
pub async fn apply<K: Resource<DynamicType = ()>>(
    client: &Client,
    name: &str,
    spec: &Value,
    parameters: PatchParams,
) -> Result<Result<Value, String>> {
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
    let object = json!({
        "apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "spec": spec,
    });
    match api.patch(name, &parameters.validation_strict(), &Patch::Apply(&object)).await {
        Ok(object) => Ok(Ok(serde_json::to_value(object)?)),
        Err(kube::Error::Api(status)) => Ok(Err(status.message.clone())),
        Err(error) => Err(error.into()),
    }
}

/// The names of the columns that `kubectl get` shows, and of those that it adds with `--output wide`.
pub async fn columns<K: Resource<DynamicType = ()>>(client: &Client) -> Result<[Vec<String>; 2]> {
    let resource = ApiResource::erase::<K>(&());
    let request = http::Request::get(format!("/apis/{}/{}?limit=1", resource.api_version, resource.plural))
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(Vec::new())?;
    let table: Value = client.request(request).await?;
    let columns = table.get("columnDefinitions").and_then(Value::as_array).context("there are no columns")?;
    Ok([0, 1].map(|priority| {
        let of_priority =
            columns.iter().filter(|column| column.get("priority").and_then(Value::as_i64) == Some(priority));
        of_priority.filter_map(|column| column.get("name")?.as_str()).map(str::to_owned).collect()
    }))
}
