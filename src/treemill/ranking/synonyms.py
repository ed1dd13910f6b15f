"""Words of programmers that stand for each other: what a question says and code abbreviates, or the other way round.

Each line is a group; a word of it also looks for the others, for less than itself. The groups come from common usage,
not from any one code base. Abbreviations that are beginnings ("config" for "configuration") need no entry: they are
tried as they are.
"""

from __future__ import annotations

from collections import defaultdict

from treemill.ranking.words import stem

_GROUPS = """
auth authentication authenticate authorization authorize login credential
db database
config configuration settings options preferences
err error exception failure fault
ctx context
req request
res resp response reply
msg message
conn connection connect
init initialize initialise initialization setup bootstrap boot startup
param parameter arg argument
attr attribute
prop property
env environment
exec execute execution run
iter iterator iterate iteration loop traverse walk visit
async asynchronous concurrent
sync synchronous synchronize
fmt format formatter
str string text
num number numeric
int integer
bool boolean
func function fn
impl implementation
obj object
ref reference
src source
dst dest destination target
dir directory folder
doc documentation document
spec specification
repo repository
util utility helper
mgr manager
proc process
sched scheduler schedule
mem memory
alloc allocate allocation allocator
buf buffer
len length size
max maximum limit
min minimum
idx index
tmp temp temporary
val value
var variable
decl declaration
def definition define
expr expression
stmt statement
eval evaluate evaluation
cmd command
cli terminal console
url uri link
addr address
auto automatic
sep separator delimiter
regex regexp pattern
serialize serialization serializer marshal encode encoder dump
deserialize deserialization deserializer unmarshal decode decoder parse
parse parser parsing
validate validation validator check verify
cache memoize memo
delete remove drop erase destroy unlink
create make build new construct builder factory
add append insert push
get fetch retrieve load read lookup
set assign write put store save persist
convert conversion transform cast coerce translate
send emit dispatch publish notify
receive subscribe listen consume
stop shutdown close terminate cancel abort kill
start begin launch spawn
thread worker
queue fifo
log logging logger
hash digest checksum
crypt encrypt encryption cipher crypto
compress compression gzip zip
dep dependency
pkg package
lib library
sub subscription
gen generate generator generation
dup duplicate copy clone
evict eviction expire expiration ttl
throttle limit rate
retry backoff attempt
timeout deadline
hook callback
event listener observer
route router endpoint url
middleware interceptor filter plugin
template render view
test assertion expect
mock stub fake spy
migrate migration
transaction commit rollback
join association relation
sort order
merge combine union
split partition chunk
transport adapter client
cookie session
redirect location
stream streaming pipe
lock mutex semaphore
concat concatenate
trim strip
substring slice
compare comparison equal equality
i18n locale localization translation
ast tree node syntax
lex lexer tokenize tokenizer scanner
recover recovery panic
stat statistics metrics
schema type
date time datetime timestamp
"""


def _neighbours() -> dict[str, frozenset[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in _GROUPS.split("\n"):
        group = {stem(word) for word in line.split()}
        for word in group:
            found[word] |= group - {word}
    return {word: frozenset(others) for word, others in found.items()}


SYNONYMS = _neighbours()
"""Stem → the stems that may stand for it."""
