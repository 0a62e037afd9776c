"""What schemathesis generates, less what doc/openapi.yaml can only say in words.

It writes in no schema that something holds at every depth of an object whose members are not named: no NUL in a
string, integers of 64 bits. The program refuses both; test_coordinator_api.py sees to that.
"""
import schemathesis


def fits(value):
    if isinstance(value, dict):
        return all(fits(k) and fits(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(fits, value))
    if isinstance(value, int):
        return -2**63 <= value < 2**63
    return not isinstance(value, str) or "\0" not in value


@schemathesis.hook
def filter_body(context, body):
    return fits(body)
