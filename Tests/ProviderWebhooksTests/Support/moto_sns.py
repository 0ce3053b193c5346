"""Lets moto, which plays Amazon SNS, sign a notification.

Reads {"message": text, "topic": name, "region": name}. Writes {"certificate": PEM, "topic": ARN, "body": text}, as SNS would
post it.
"""
import json
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="testing", AWS_SECRET_ACCESS_KEY="testing")
import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

asked = json.load(sys.stdin)
with mock_aws():
    sns = boto3.client("sns", region_name=asked["region"])
    topic = sns.create_topic(Name=asked["topic"])["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://mail.example.com/")
    backend = sns_backends[DEFAULT_ACCOUNT_ID][asked["region"]]
    (subscription,) = backend.subscriptions.values()
    post = subscription.get_post_data(asked["message"], "2d2ca35a-7aa6-4fa4-a43d-8ac2b1f0c4d5", None)
    certificate = backend._message_public_keys[post["SigningCertURL"].rsplit("/", 1)[1]]
    json.dump({"certificate": certificate.decode(), "topic": topic, "body": json.dumps(post)}, sys.stdout)
