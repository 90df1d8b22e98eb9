from mcp_server import answer


def test_has_one_tool():
    assert [tool["name"] for tool in answer("tools/list", {})["tools"]] == ["greet"]


def test_greets_as_the_page_does(monkeypatch):
    monkeypatch.setenv("GREETING", "Ahoy")
    result = answer("tools/call", {"name": "greet", "arguments": {"name": "sailor"}})
    assert result["content"][0]["text"] == "Ahoy, sailor!\n"


def test_knows_no_other_method():
    assert answer("resources/list", {}) is None
