"""The only door to the Kafka client: connections, administration, logs, producers, groups, the transactional loop."""

from mesh.kafka.admin import Admin, TopicState
from mesh.kafka.connection import Connection
from mesh.kafka.group import GroupConsumer, GroupOptions
from mesh.kafka.intake import GroupProtocol
from mesh.kafka.leaving import Leaving
from mesh.kafka.log import LogReader, LogTail, SideInput
from mesh.kafka.loop import LoopSettings, TransactionalLoop
from mesh.kafka.message import Message, Run
from mesh.kafka.producer import Producer
from mesh.kafka.security import Acl, verify_credentials
from mesh.kafka.step import Step, Transaction
from mesh.kafka.transaction import AbortRequired, RestoreRequired

__all__ = [
    "AbortRequired",
    "Acl",
    "Admin",
    "Connection",
    "GroupConsumer",
    "GroupOptions",
    "GroupProtocol",
    "Leaving",
    "LogReader",
    "LogTail",
    "LoopSettings",
    "Message",
    "Producer",
    "RestoreRequired",
    "Run",
    "SideInput",
    "Step",
    "TopicState",
    "Transaction",
    "TransactionalLoop",
    "verify_credentials",
]
