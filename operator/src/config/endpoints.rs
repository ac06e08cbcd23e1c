//! Where AWS's services are reached instead of their own endpoints: one URL for all, and one for each service,
//! which counts before it, by the names that AWS's own SDKs read.

use std::{fmt, str::FromStr};

use clap::Args;
use url::Url;

use crate::aws::{Transport, Transports};

/// As flags and the environment have it. A setting without a text is none: charts may set variables to nothing.
#[derive(Debug, Args)]
pub(super) struct EndpointOptions {
    /// Where AWS is reached instead of its own endpoints, such as an emulator; pods reach it there, too.
    #[arg(long = "aws-endpoint-url", env = ALL, default_value = "", hide_default_value = true, value_name = "URL")]
    all: Setting,
    /// Where S3 alone is reached, whatever is said for all services.
    #[arg(long = "aws-endpoint-url-s3", env = S3, default_value = "", hide_default_value = true, value_name = "URL")]
    s3: Setting,
    /// Where SQS alone is reached, likewise.
    #[arg(long = "aws-endpoint-url-sqs", env = SQS, default_value = "", hide_default_value = true, value_name = "URL")]
    sqs: Setting,
    /// Where SNS alone is reached, likewise.
    #[arg(long = "aws-endpoint-url-sns", env = SNS, default_value = "", hide_default_value = true, value_name = "URL")]
    sns: Setting,
    /// Where STS alone is reached, by which a role is taken with a service account's token; the operator's own
    /// calls of it follow the environment alone.
    #[arg(long = "aws-endpoint-url-sts", env = STS, default_value = "", hide_default_value = true, value_name = "URL")]
    sts: Setting,
}

const ALL: &str = "AWS_ENDPOINT_URL";
const S3: &str = "AWS_ENDPOINT_URL_S3";
const SQS: &str = "AWS_ENDPOINT_URL_SQS";
const SNS: &str = "AWS_ENDPOINT_URL_SNS";
const STS: &str = "AWS_ENDPOINT_URL_STS";

/// The resolved settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    pub all: Option<Endpoint>,
    pub s3: Option<Endpoint>,
    pub sqs: Option<Endpoint>,
    pub sns: Option<Endpoint>,
    pub sts: Option<Endpoint>,
}

/// The URL of a service: http or https, a host, perhaps a port, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why a text is no service's URL.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidEndpoint {
    #[error("it is no URL such as https://sqs.example.internal: {0}")]
    NoUrl(#[from] url::ParseError),
    #[error("it must begin with http:// or https://")]
    Scheme,
    #[error("a service's URL has no path, query, fragment, user or password")]
    MoreThanAHost,
}

#[derive(Debug, Clone)]
struct Setting(Option<Endpoint>);

impl Endpoints {
    pub fn of_s3(&self) -> Option<&Endpoint> {
        self.s3.as_ref().or(self.all.as_ref())
    }

    pub fn of_sqs(&self) -> Option<&Endpoint> {
        self.sqs.as_ref().or(self.all.as_ref())
    }

    pub fn of_sns(&self) -> Option<&Endpoint> {
        self.sns.as_ref().or(self.all.as_ref())
    }

    pub fn of_sts(&self) -> Option<&Endpoint> {
        self.sts.as_ref().or(self.all.as_ref())
    }

    /// How operator and pods reach each service.
    pub fn transports(&self) -> Transports {
        let of = |endpoint: Option<&Endpoint>| endpoint.map_or(Transport::Tls, Endpoint::transport);
        Transports { s3: of(self.of_s3()), sqs: of(self.of_sqs()), sns: of(self.of_sns()) }
    }

    /// What is set, by the variables that the SDK reads it from.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &Endpoint)> {
        let Self { all, s3, sqs, sns, sts } = self;
        let settings = [(ALL, all), (S3, s3), (SQS, sqs), (SNS, sns), (STS, sts)];
        settings.into_iter().filter_map(|(name, endpoint)| endpoint.as_ref().map(|endpoint| (name, endpoint)))
    }
}

impl From<EndpointOptions> for Endpoints {
    fn from(options: EndpointOptions) -> Self {
        let EndpointOptions {
            all: Setting(all),
            s3: Setting(s3),
            sqs: Setting(sqs),
            sns: Setting(sns),
            sts: Setting(sts),
        } = options;
        Self { all, s3, sqs, sns, sts }
    }
}

impl Endpoint {
    pub fn url(&self) -> &Url {
        &self.0
    }

    fn transport(&self) -> Transport {
        if self.0.scheme() == "http" { Transport::Plaintext } else { Transport::Tls }
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidEndpoint::Scheme);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidEndpoint::MoreThanAHost);
        }
        Ok(Self(url))
    }
}

/// Without the slash at the end.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for Setting {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.is_empty() { Ok(Self(None)) } else { text.parse().map(Some).map(Self) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: EndpointOptions,
    }

    fn parse(words: &[&str]) -> Result<Endpoints, String> {
        let line = Line::try_parse_from(["operator"].iter().chain(words));
        line.map(|line| line.options.into()).map_err(|error| error.to_string())
    }

    fn text(endpoint: Option<&Endpoint>) -> Option<String> {
        endpoint.map(Endpoint::to_string)
    }

    #[test]
    fn service_has_its_own_endpoint_or_that_of_all() {
        let set = parse(&["--aws-endpoint-url=http://all:5000/", "--aws-endpoint-url-s3=https://store:9000"]);
        let set = set.unwrap();
        assert_eq!(text(set.of_s3()).as_deref(), Some("https://store:9000"));
        assert_eq!(text(set.of_sqs()).as_deref(), Some("http://all:5000"));
        assert_eq!(text(set.of_sns()).as_deref(), Some("http://all:5000"));
        let plain = Transport::Plaintext;
        assert_eq!(set.transports(), Transports { s3: Transport::Tls, sqs: plain, sns: plain });
        let variables: Vec<_> = set.variables().map(|(name, url)| (name, url.to_string())).collect();
        let all = ("AWS_ENDPOINT_URL", "http://all:5000".to_owned());
        assert_eq!(variables, [all, ("AWS_ENDPOINT_URL_S3", "https://store:9000".to_owned())]);
    }

    #[test]
    fn without_settings_or_with_empty_ones_every_service_is_aws_s_own_over_tls() {
        for words in [&[][..], &["--aws-endpoint-url=", "--aws-endpoint-url-sns="]] {
            let set = parse(words).unwrap();
            assert_eq!((set.transports(), &set), (Transports::all(Transport::Tls), &Endpoints::default()));
        }
    }

    #[test]
    fn what_is_no_services_url_is_refused_by_the_options_name() {
        for flag in ["", "-s3", "-sqs", "-sns", "-sts"].map(|end| format!("--aws-endpoint-url{end}")) {
            for wrong in [
                "sqs.example.internal",
                "sqs.example.internal:443",
                "//sqs.example.internal",
                "ftp://sqs.example.internal",
                "https://",
                "https://sqs.example.internal/queues",
                "https://sqs.example.internal?region=eu-west-1",
                "https://sqs.example.internal#sqs",
                "https://me@sqs.example.internal",
            ] {
                let refused = parse(&[&format!("{flag}={wrong}")]).unwrap_err();
                assert!(refused.contains(&flag) && refused.contains(wrong), "{refused}");
            }
        }
    }
}
