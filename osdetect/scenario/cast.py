"""Who acts: the company's people, workloads and AWS services, and the intruder.

Account numbers are AWS's documentation examples and addresses come from the ranges that RFC 5737 and RFC 3849 set
aside for documentation: 192.0.2.0/24 and 2001:db8::/32 are the company, 198.51.100.0/24 and 203.0.113.0/24 the
intruder. Key and principal ids spell what they are.
"""

from typing import TypeAlias

import msgspec

MAIN_ACCOUNT = "111122223333"
"""The organisation's management account, where the people are."""
SHOP_ACCOUNT = "444455556666"
"""The member account that runs the web shop."""
FOREIGN_ACCOUNT = "777788889999"
"""The intruder's own account."""
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-2")
GLOBAL_REGION = "us-east-1"
"""Where global services (IAM, Organizations, sign-in) are recorded."""


class IamUser(msgspec.Struct, frozen=True):
    """An IAM user. In the console it has a session; with an access key it has none."""

    name: str
    account: str
    user_id: str
    key: str
    in_console: bool = False
    mfa: bool = False


class RoleSession(msgspec.Struct, frozen=True):
    """A session of a role."""

    role: str
    session: str
    account: str
    role_id: str
    key: str
    path: str = "/"
    mfa: bool = False
    from_instance: bool = False
    """True when the instance metadata service handed the session out."""


class FederatedUser(msgspec.Struct, frozen=True):
    """A federation session that an IAM user issued (GetFederationToken)."""

    name: str
    issuer: IamUser
    key: str


class AwsService(msgspec.Struct, frozen=True):
    """A service of AWS that acts by itself."""

    host: str


class RootUser(msgspec.Struct, frozen=True):
    """An account's root user; `key` is that of its console session, empty where it has none yet."""

    account: str
    key: str = ""


class NobodyKnown(msgspec.Struct, frozen=True):
    """Whoever typed a user name that the account does not have. CloudTrail hides what was typed."""

    account: str


class Visitor(msgspec.Struct, frozen=True):
    """Somebody whom an outside identity provider vouches for, before a role is given."""

    kind: str
    """The type of identity: WebIdentityUser or SAMLUser."""
    name: str
    account: str
    provider: str
    """The provider's ARN, as IAM has it."""


Principal: TypeAlias = IamUser | RoleSession | FederatedUser | AwsService | RootUser | NobodyKnown | Visitor


class Actor(msgspec.Struct, frozen=True):
    """A principal with the addresses and the clients that it uses; one of each is taken for a call."""

    principal: Principal
    addresses: tuple[str, ...]
    agents: tuple[str, ...]


FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:136.0) Gecko/20100101 Firefox/136.0"
CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/133.0.0.0 Safari/537.36"
CLI = "aws-cli/2.24.10 md/awscrt#0.23.8 ua/2.0 os/macos#24.3.0 md/arch#arm64 lang/python#3.12.9"
KALI = "aws-cli/2.23.6 md/awscrt#0.23.8 ua/2.0 os/linux#6.12.13-kali-amd64 md/arch#x86_64 lang/python#3.13.2"
CLOUDSHELL = "aws-cli/2.24.10 md/awscrt#0.23.8 exec-env/CloudShell ua/2.0 os/linux#6.1.128 lang/python#3.12.9"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.10.5 (+https://www.terraform.io) terraform-provider-aws/5.88.0"
JAVA_SDK = "aws-sdk-java/2.30.31 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.128 lang/java#21.0.6"
LAMBDA_SDK = (
    "Boto3/1.36.26 md/Botocore#1.36.26 ua/2.0 os/linux#5.10.234 lang/python#3.12.9 exec-env/AWS_Lambda"
)
SSM_AGENT = "aws-sdk-go/1.55.5 (go1.23.4; linux; amd64) amazon-ssm-agent/3.3.1611.0"

_OFFICE = ("192.0.2.10", "192.0.2.11", "192.0.2.12")
_HOMES = ("192.0.2.77", "192.0.2.91", "2001:db8:40::17", "2001:db8:52::3")
_NAT = ("192.0.2.200", "192.0.2.201", "192.0.2.202")


def _staff(name: str, user_id: str, key: str) -> IamUser:
    return IamUser(name, MAIN_ACCOUNT, user_id, key)


DANA_USER_ID = "AIDAEXAMPLEDANAKIM01"
DANA_CLI = Actor(_staff("dana.kim", DANA_USER_ID, "AKIAEXAMPLEDANAKIM01"), _OFFICE, (CLI,))
OMAR_CLI = Actor(
    _staff("omar.haddad", "AIDAEXAMPLEOMARHAD01", "AKIAEXAMPLEOMARHAD01"), _OFFICE + _HOMES, (CLI,)
)
OMAR_CONSOLE = Actor(
    IamUser(
        "omar.haddad", MAIN_ACCOUNT, "AIDAEXAMPLEOMARHAD01", "ASIAEXAMPLEOMARHAD02", in_console=True, mfa=True
    ),
    _OFFICE + _HOMES,
    (FIREFOX,),
)
LENA_CONSOLE = Actor(
    IamUser(
        "lena.fischer",
        MAIN_ACCOUNT,
        "AIDAEXAMPLELENAFIS01",
        "ASIAEXAMPLELENAFIS02",
        in_console=True,
        mfa=True,
    ),
    _OFFICE,
    (CHROME,),
)
PLATFORM_ENGINEER = Actor(
    RoleSession(
        "AWSReservedSSO_PlatformEngineer_0a1b2c3d4e5f6789",
        "priya.nair",
        SHOP_ACCOUNT,
        "AROAEXAMPLEPLATENG01",
        "ASIAEXAMPLEPLATENG01",
        path="/aws-reserved/sso.amazonaws.com/",
        mfa=True,
    ),
    _OFFICE + _HOMES,
    (CHROME, CLI),
)
CI_DEPLOYER = Actor(
    RoleSession("ci-deployer", "pipeline-run", SHOP_ACCOUNT, "AROAEXAMPLECIDEPLOY1", "ASIAEXAMPLECIDEPLOY1"),
    _NAT,
    (TERRAFORM,),
)
ORDERS_APP = Actor(
    RoleSession(
        "app-orders-role",
        "i-0f3a9c1d2e4b5a687",
        MAIN_ACCOUNT,
        "AROAEXAMPLEORDERAPP1",
        "ASIAEXAMPLEORDERAPP1",
        from_instance=True,
    ),
    _NAT,
    (JAVA_SDK,),
)
ORDERS_AGENT = Actor(ORDERS_APP.principal, _NAT, (SSM_AGENT,))
REPORT_FUNCTION = Actor(
    RoleSession(
        "report-builder-role", "report-builder", SHOP_ACCOUNT, "AROAEXAMPLEREPORTER1", "ASIAEXAMPLEREPORTER1"
    ),
    _NAT,
    (LAMBDA_SDK,),
)
CONFIG_ROLE = Actor(
    RoleSession(
        "AWSServiceRoleForConfig",
        "AWSConfig-Describe",
        SHOP_ACCOUNT,
        "AROAEXAMPLECONFIGRO1",
        "ASIAEXAMPLECONFIGRO1",
        path="/aws-service-role/config.amazonaws.com/",
    ),
    ("config.amazonaws.com",),
    ("config.amazonaws.com",),
)


def service(host: str) -> Actor:
    """An AWS service acting by itself; it stands as address and client too."""
    return Actor(AwsService(host), (host,), (host,))


INTRUDER_HOME = "203.0.113.24"
INTRUDER_SERVER = "198.51.100.77"
INTRUDER_EXIT = "198.51.100.140"

STOLEN_CONSOLE = Actor(
    IamUser("dana.kim", MAIN_ACCOUNT, DANA_USER_ID, "ASIAEXAMPLEDANAKIM09", in_console=True),
    (INTRUDER_HOME,),
    (FIREFOX,),
)
STOLEN_SHELL = Actor(STOLEN_CONSOLE.principal, ("198.51.100.9",), (CLOUDSHELL,))
STOLEN_KEY = Actor(_staff("dana.kim", DANA_USER_ID, "AKIAEXAMPLEDANAKIM02"), (INTRUDER_SERVER,), (KALI,))
STOLEN_INSTANCE = Actor(ORDERS_APP.principal, (INTRUDER_SERVER,), (KALI,))
PLANTED_FUNCTION = Actor(
    RoleSession(
        "account-admin", "metrics-sync", MAIN_ACCOUNT, "AROAEXAMPLEACCTADMI1", "ASIAEXAMPLEACCTADMI1"
    ),
    (INTRUDER_EXIT,),
    (LAMBDA_SDK,),
)
_PLANTED = _staff("svc-metrics-sync", "AIDAEXAMPLEMETRSYNC1", "AKIAEXAMPLEMETRSYNC1")
PLANTED_USER = Actor(_PLANTED, (INTRUDER_EXIT,), (CLI,))
PLANTED_TOKEN = Actor(
    FederatedUser("sync", _PLANTED, "ASIAEXAMPLEMETRSYNC2"), (INTRUDER_EXIT,), ("python-requests/2.32.3",)
)
SHOP_ADMIN = Actor(
    RoleSession(
        "OrganizationAccountAccessRole", "sync", SHOP_ACCOUNT, "AROAEXAMPLEORGACCES1", "ASIAEXAMPLEORGACCES1"
    ),
    (INTRUDER_EXIT,),
    (CLI,),
)
SHOP_COPIER = Actor(SHOP_ADMIN.principal, (INTRUDER_EXIT,), ("rclone/v1.69.1",))

_TESTER_HOME = ("203.0.113.80",)
_TESTER = IamUser("tess.okafor", MAIN_ACCOUNT, "AIDAEXAMPLETESSOKA01", "AKIAEXAMPLETESSOKA01")
TESTER = Actor(_TESTER, _TESTER_HOME, (CLI,))
"""Walks through the account on Tuesday, as was agreed, to see which calls are noticed."""
TESTER_CONSOLE = Actor(
    IamUser("tess.okafor", MAIN_ACCOUNT, "AIDAEXAMPLETESSOKA01", "ASIAEXAMPLETESSOKA02", in_console=True),
    _TESTER_HOME,
    (FIREFOX,),
)
TESTER_AS_ROOT = Actor(RootUser(MAIN_ACCOUNT), _TESTER_HOME, (FIREFOX,))
TESTER_IN_ROOT_SESSION = Actor(RootUser(MAIN_ACCOUNT, "ASIAEXAMPLEROOTUSER1"), _TESTER_HOME, (FIREFOX,))
TESTER_AS_NOBODY = Actor(NobodyKnown(MAIN_ACCOUNT), _TESTER_HOME, (FIREFOX,))
TESTER_WORKFLOW = Actor(
    Visitor(
        "WebIdentityUser",
        "repo:example-stranger/copy:ref:refs/heads/main",
        MAIN_ACCOUNT,
        f"arn:aws:iam::{MAIN_ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
    ),
    _TESTER_HOME,
    ("aws-sdk-nodejs/2.1692.0 linux/v20.18.3 configure-aws-credentials-for-github-actions promise",),
)
TESTER_ASSERTION = Actor(
    Visitor(
        "SAMLUser",
        "tess.okafor@shop.example",
        MAIN_ACCOUNT,
        f"arn:aws:iam::{MAIN_ACCOUNT}:saml-provider/company-login",
    ),
    _TESTER_HOME,
    (FIREFOX,),
)
