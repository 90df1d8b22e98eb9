from app import greeting


def test_greets_with_the_word_from_the_environment(monkeypatch):
    monkeypatch.setenv("GREETING", "Ahoy")
    assert greeting("sailor") == "Ahoy, sailor!\n"


def test_greets_without_an_environment(monkeypatch):
    monkeypatch.delenv("GREETING", raising=False)
    assert greeting("sailor") == "Hello, sailor!\n"
