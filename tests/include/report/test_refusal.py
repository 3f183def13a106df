"""A refused request: its line, and its mail."""

from include.report.refusal import refusal_mail, summary_of


def test_a_refused_request_is_one_printable_line_and_a_mail_with_the_reason() -> None:
    """Whatever somebody typed as the VM's name."""
    assert summary_of("PROTECT a\nb", "There is none.") == "PROTECT a\\nb FAILED · There is none."
    subject, paragraphs = refusal_mail("PROTECT maq1", "There is none.", prefix="INPE", run_url="http://a/b")
    assert subject == "[INPE] PROTECT maq1 FAILED · request refused"
    assert paragraphs == ["There is none.", "The run in Airflow: http://a/b"]
