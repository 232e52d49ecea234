"""What every engine shares: its errors, and the names of computed rows."""

from mtshare_ros.errors import exit_status
from mtshare_ros.perception.engines.interface import EngineError, rows_name


def test_a_failed_engine_is_a_failed_job_and_rows_have_a_name_of_their_own() -> None:
    assert exit_status(EngineError("out of memory")) == 1
    assert rows_name("key_00") == "key_00_rows"
