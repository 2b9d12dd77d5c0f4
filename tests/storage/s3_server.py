"""A real S3 server on loopback (moto's) that knows one key: a signature by another is refused, as Amazon refuses it.

Run by the interpreter of .venv-s3. It prints a line of JSON, with its address, the key and the bucket, and ends when
its input does, so that no server outlives the test that started it.
"""

import json
import sys

import boto3
import requests
from moto.server import ThreadedMotoServer

BUCKET, USER = "results", "reader"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def main():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    anybody = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    anybody |= {"aws_access_key_id": "first", "aws_secret_access_key": "first"}
    iam = boto3.client("iam", **anybody)
    iam.create_user(UserName=USER)
    key = iam.create_access_key(UserName=USER)["AccessKey"]
    iam.put_user_policy(UserName=USER, PolicyName="everything", PolicyDocument=json.dumps(EVERYTHING))
    boto3.client("s3", **anybody).create_bucket(Bucket=BUCKET)
    requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=60).raise_for_status()  # from here on keys count
    found = {"endpoint": endpoint, "bucket": BUCKET, "key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
