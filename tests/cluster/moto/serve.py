"""moto's server made faithful where our pods and the operator look closely.

As it comes, moto delivers to HTTP subscribers that nobody confirmed, signs each message with a key that no
authority vouches for, leaves the subject out of what it signs, and answers who publishes only when all
subscribers have answered. Here a subscription to an HTTP endpoint waits until it is confirmed with the token
that was posted to it, which is posted again to what is subscribed again meanwhile; whoever publishes is
answered at once; and messages are signed as Amazon SNS does, by the key and certificate in the files that the
environment names. A bucket has the tags that it was made with, which moto passes over. What a bucket's
versioning and lifecycle are told in has S3's name and not moto's.

SNS_SIGNER_KEY, SNS_SIGNER_CERTIFICATE   PEM; the certificate with what connects it to its authority
END_WITH_STDIN                           if set, the process ends with its standard input

Arguments are moto's own.
"""

import base64
import hashlib
import os
import secrets
import sys
import threading
import time

import requests
import xmltodict
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from moto.core.responses import ActionResult
from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.responses import S3Response
from moto.server import main
from moto.sns import models
from moto.sns.exceptions import SNSInvalidParameter
from moto.sns.responses import SNSResponse

PENDING = "PendingConfirmation"
ASK_WITHIN_SECONDS = 10
# SNS asks again where nobody answered, three times by default; here sooner than its 20 seconds.
ASK_AGAIN_AFTER_SECONDS = [1, 2, 4]


def read(variable):
    with open(os.environ[variable], "rb") as file:
        return file.read()


KEY = serialization.load_pem_private_key(read("SNS_SIGNER_KEY"), password=None)
CERTIFICATE = read("SNS_SIGNER_CERTIFICATE")
CERTIFICATE_NAME = f"SimpleNotificationService-{hashlib.md5(CERTIFICATE).hexdigest()}.pem"


def sign(topic, fields):
    """The message with its signature, as https://docs.aws.amazon.com/sns tells."""
    signed = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{fields[name]}\n" for name in signed if name in fields)
    signature = KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    region = topic.sns_backend.region_name
    return fields | {
        "SignatureVersion": "2",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": f"https://sns.{region}.amazonaws.com/{CERTIFICATE_NAME}",
    }


def common(topic, kind, message, message_id):
    return {
        "Type": kind,
        "MessageId": message_id,
        "TopicArn": topic.arn,
        "Message": message,
        "Timestamp": iso_8601_datetime_with_milliseconds(),
    }


def get_post_data(self, message, message_id, subject, message_attributes=None):
    fields = common(self.topic, "Notification", message, message_id)
    if subject:
        fields["Subject"] = subject
    data = sign(self.topic, fields)
    return data | ({"MessageAttributes": message_attributes} if message_attributes else {})


def ask_for_confirmation(subscription):
    region = subscription.topic.sns_backend.region_name
    text = f"You have chosen to subscribe to the topic {subscription.topic.arn}."
    fields = common(subscription.topic, "SubscriptionConfirmation", text, secrets.token_hex(16))
    fields["Token"] = subscription.token
    fields["SubscribeURL"] = (
        f"https://sns.{region}.amazonaws.com/?Action=ConfirmSubscription"
        f"&TopicArn={subscription.topic.arn}&Token={subscription.token}"
    )
    for pause in [*ASK_AGAIN_AFTER_SECONDS, 0]:
        try:
            answer = requests.post(
                subscription.endpoint,
                json=sign(subscription.topic, fields),
                headers={"Content-Type": "text/plain; charset=UTF-8"},
                timeout=ASK_WITHIN_SECONDS,
            )
            answer.raise_for_status()
            return
        except requests.RequestException as error:
            print(f"{subscription.endpoint} was not asked: {error}", file=sys.stderr)
            time.sleep(pause)


def is_pending(subscription):
    return getattr(subscription, "token", None) is not None and not subscription.confirmed


plain_subscribe = models.SNSBackend.subscribe
plain_publish = models.Subscription.publish


def subscribe(self, topic_arn, endpoint, protocol):
    subscription = plain_subscribe(self, topic_arn, endpoint, protocol)
    if protocol in ["http", "https"] and not hasattr(subscription, "token"):
        subscription.token = secrets.token_hex(64)
        subscription.attributes["PendingConfirmation"] = True
    # SNS asks again whenever somebody subscribes what waits.
    if is_pending(subscription):
        threading.Thread(target=ask_for_confirmation, args=[subscription], daemon=True).start()
    return subscription


def publish(self, *arguments, **named):
    if is_pending(self):
        return
    if self.protocol in ["http", "https"]:
        # An endpoint that hangs holds nobody up.
        threading.Thread(target=plain_publish, args=[self, *arguments], kwargs=named, daemon=True).start()
    else:
        plain_publish(self, *arguments, **named)


# moto names an answer after its call, which SDKs that read what AWS documents do not take.
ROOTS = {
    "GetBucketVersioningResponse": "VersioningConfiguration",
    "GetBucketLifecycleConfigurationResponse": "LifecycleConfiguration",
}
plain_serialized = S3Response.serialized


def serialized(self, result):
    status, headers, body = plain_serialized(self, result)
    text = body.decode() if isinstance(body, bytes) else body
    for ours, theirs in ROOTS.items():
        text = text.replace(f"<{ours}", f"<{theirs}").replace(f"</{ours}>", f"</{theirs}>")
    return status, headers, text


class Pending:
    """A subscription as it is listed while it waits."""

    def __init__(self, subscription):
        self.arn = self.subscription_arn = PENDING
        self.topic_arn = subscription.topic.arn
        self.owner, self.protocol = subscription.owner, subscription.protocol
        self.endpoint = subscription.endpoint


def list_subscriptions_by_topic(self):
    listed, token = self.backend.list_subscriptions_by_topic(
        self._get_param("TopicArn"), next_token=self._get_param("NextToken")
    )
    listed = [Pending(each) if is_pending(each) else each for each in listed]
    return ActionResult({"Subscriptions": listed, "NextToken": token})


def confirm_subscription(self):
    topic = self.backend.get_topic(self._get_param("TopicArn"))
    for subscription in self.backend._get_topic_subscriptions(topic):
        if getattr(subscription, "token", None) == self._get_param("Token"):
            subscription.confirmed = True
            subscription.attributes["PendingConfirmation"] = False
            return ActionResult({"SubscriptionArn": subscription.arn})
    raise SNSInvalidParameter("Invalid token")


plain_put_bucket = S3Response._bucket_response_put


def put_bucket(self, request, bucket_name, querystring):
    answer = plain_put_bucket(self, request, bucket_name, querystring)
    if not querystring and self.body:
        made = xmltodict.parse(self.body, force_list=["Tag"]).get("CreateBucketConfiguration") or {}
        tags = (made.get("Tags") or {}).get("Tag", [])
        if tags:
            self.backend.put_bucket_tagging(bucket_name, {tag["Key"]: tag["Value"] for tag in tags})
    return answer


plain_call = DomainDispatcherApplication.__call__


def call(self, environ, start_response):
    """Gives the certificate to everybody; moto finds SNS by a signature, which such a request has not."""
    if environ.get("PATH_INFO") == f"/{CERTIFICATE_NAME}":
        start_response("200 OK", [("Content-Type", "application/x-pem-file")])
        return [CERTIFICATE]
    return plain_call(self, environ, start_response)


DomainDispatcherApplication.__call__ = call
S3Response._bucket_response_put = put_bucket
S3Response.serialized = serialized
models.Subscription.get_post_data = get_post_data
models.Subscription.publish = publish
models.SNSBackend.subscribe = subscribe
SNSResponse.confirm_subscription = confirm_subscription
SNSResponse.list_subscriptions_by_topic = list_subscriptions_by_topic

if __name__ == "__main__":
    if "END_WITH_STDIN" in os.environ:
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    main()
