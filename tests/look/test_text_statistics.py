"""Text statistics: counts checked by hand and against Python's own, and a language guess that can say no."""

import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossover.look import text_statistics as module
from crossover.look.lengths import is_blank
from crossover.look.text_statistics import NUMBERS, text_statistics


def of(text: str) -> dict[str, float]:
    found = text_statistics([text])
    return {name: float(found.numbers[name][0]) for name in NUMBERS}


def test_a_text_counted_by_hand() -> None:
    found = of("Call NOW! Visit http://a.example or write to Bob.B@mail.example. 50% off...")
    assert found["words"] == 10
    assert found["sentences"] == 3
    assert (found["urls"], found["addresses"], found["blank"]) == (1, 1, 0)
    assert found["characters"] == 75
    assert found["digits"] == 2 / 75
    letters = len("CallNOWVisithttpaexampleorwritetoBobBmailexampleoff")
    assert found["capitals"] == 7 / letters
    assert found["punctuation"] == len("!://..@..%...") / 75


def test_tokenised_mail_is_counted_alike() -> None:
    found = of("see http : / / www . site . com or write to bob @ mail . com . thanks . . .")
    assert (found["urls"], found["addresses"], found["sentences"]) == (1, 1, 5)
    assert of("www.site.example and https://www.other.example")["urls"] == 2


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        ("  \n", 0),
        ("no end", 1),
        ("One. Two", 2),
        ("...", 0),
        ("你好。再见！", 2),
        ("3.5 is one", 1),
    ],
)
def test_sentences_are_counted_simply(text: str, sentences: int) -> None:
    assert of(text)["sentences"] == sentences


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_counts_are_those_of_python_row_by_row(texts: list[str]) -> None:
    found = text_statistics(texts).numbers
    assert set(found) == set(NUMBERS) and all(len(values) == len(texts) for values in found.values())
    for row, text in enumerate(texts):
        assert found["words"][row] == len(text.split())
        assert found["characters"][row] == len(text)
        assert found["blank"][row] == is_blank(text)
        assert np.isclose(found["digits"][row] * max(len(text), 1), sum(c.isdecimal() for c in text))


def test_pieces_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["One. Two! 3", "", "ÄÖ ü.", "x" * 50, "A b\n\nC"] * 3
    whole = text_statistics(texts)
    monkeypatch.setattr(module, "CHARACTERS_A_TIME", 12)
    pieces = text_statistics(texts)
    assert all((whole.numbers[name] == pieces.numbers[name]).all() for name in NUMBERS)
    assert whole.languages == pieces.languages and whole.scripts == pieces.scripts


SENTENCES = {
    "en": [
        "I will be late for the meeting, please start without me.",
        "Your account has been closed by us.",
        "Do you know when they are coming back from the market?",
        "This is the last day of our summer sale.",
    ],
    "de": [
        "Ich komme heute etwas später, bitte fangt ohne mich an.",
        "Das Wetter ist nicht so gut wie gestern.",
        "Wir haben die Rechnung noch nicht bekommen.",
        "Können Sie mir sagen, wann der Zug fährt?",
    ],
    "fr": [
        "Je ne sais pas encore si nous pouvons venir.",
        "Votre compte est fermé pour des raisons de sécurité.",
        "Elle a vu les enfants dans le jardin avec son père.",
        "Il y a du pain sur la table de la cuisine.",
    ],
    "es": [
        "No sé si podemos llegar a tiempo para la cena.",
        "Su cuenta ha sido cerrada por el banco.",
        "Los niños juegan en el parque con sus amigos.",
        "¿Cuándo sale el próximo tren para Madrid?",
    ],
    "it": [
        "Non so se possiamo arrivare in tempo per la cena.",
        "Il suo conto è stato chiuso dalla banca.",
        "I bambini giocano nel parco con gli amici.",
        "Questa è la mia casa e questo è il mio cane.",
    ],
    "pt": [
        "Não sei se podemos chegar a tempo para o jantar.",
        "A sua conta foi fechada pelo banco.",
        "As crianças brincam no parque com os amigos.",
        "Você também está muito cansado hoje?",
    ],
    "nl": [
        "Ik weet niet of we op tijd kunnen komen.",
        "De kinderen spelen in het park met hun vrienden.",
        "Uw rekening is door de bank gesloten, maar u heeft nog een kans.",
        "Het is een mooie dag om te wandelen.",
    ],
    "sv": [
        "Jag vet inte om vi kan komma i tid.",
        "Barnen leker i parken med sina vänner och det är roligt.",
        "Det var en gång en man som inte ville sova.",
        "Kan du ringa mig när du är hemma?",
    ],
    "pl": [
        "Nie wiem, czy możemy przyjść na czas.",
        "Dzieci bawią się w parku z przyjaciółmi.",
        "To jest bardzo dobry pomysł, ale nie dla mnie.",
        "Gdzie jest najbliższy sklep, który jest otwarty?",
    ],
    "cs": [
        "Nevím, jestli můžeme přijít včas, ale zkusíme to.",
        "Děti si hrají v parku se svými přáteli.",
        "To je velmi dobrý nápad, ale není pro mě.",
        "Když jsem byl malý, bydlel jsem na vesnici.",
    ],
    "fi": [
        "En tiedä, voimmeko tulla ajoissa, mutta se on mahdollista.",
        "Hän on hyvin väsynyt ja minä myös.",
        "Tämä on kirja, joka on vain minun.",
        "Kun sinä olet kotona, niin voit soittaa.",
    ],
    "hu": [
        "Nem tudom, hogy meg tudunk-e jönni időben.",
        "A gyerekek játszanak a parkban, és ez nagyon jó.",
        "Ez egy jó ötlet, de csak akkor, ha van időnk.",
        "Már nincs itt az az ember.",
    ],
    "ro": [
        "Nu știu dacă putem ajunge la timp pentru cină.",
        "Copiii se joacă în parc cu prietenii lor și sunt fericiți.",
        "Aceasta este o idee foarte bună, dar nu pentru mine.",
        "Când sunt acasă, am mai mult timp pentru cărți.",
    ],
    "tr": [
        "Bu çok güzel bir fikir ama benim için değil.",
        "Çocuklar parkta arkadaşları ile oynuyor ve çok mutlu.",
        "Ben daha sonra seni ararım, olur mu?",
        "Her şey için çok teşekkür ederim, ne kadar güzel.",
    ],
    "id": [
        "Saya tidak tahu apakah kami bisa datang tepat waktu.",
        "Anak itu bermain di taman dengan teman yang lain.",
        "Ini adalah ide yang sangat bagus untuk kita.",
        "Mereka sudah pergi ke pasar karena ada diskon.",
    ],
    "vi": [
        "Tôi không biết chúng tôi có thể đến đúng giờ.",
        "Trẻ em chơi trong công viên với bạn của mình.",
        "Đây là một ý tưởng rất hay nhưng không phải cho tôi.",
        "Anh ấy đã về nhà khi trời mưa.",
    ],
    "ru": [
        "Я не знаю, сможем ли мы прийти вовремя.",
        "Дети играют в парке, и это очень хорошо для них.",
        "Это была хорошая идея, но не для меня.",
        "Когда вы вернётесь, позвоните мне.",
    ],
    "uk": [
        "Я не знаю, чи зможемо ми прийти вчасно, але це можливо.",
        "Діти граються в парку, і це дуже добре.",
        "Це була гарна ідея, але не для мене.",
        "Якщо ви повернетеся, то зателефонуйте мені.",
    ],
    "ar": ["هذا هو الكتاب الذي كان على الطاولة.", "لا أعرف ما إذا كان من الممكن أن نصل إلى هناك."],
    "fa": ["این کتاب برای من است و از آن شما نیست.", "من نمی دانم که ما باید با او برویم یا نه."],
    "el": ["Δεν ξέρω αν μπορούμε να έρθουμε."],
    "he": ["אני לא יודע אם נוכל לבוא."],
    "th": ["ฉันไม่รู้ว่าเราจะมาทัน"],
    "hi": ["मुझे नहीं पता कि हम समय पर आ सकते हैं।"],
    "ko": ["우리가 제시간에 올 수 있을지 모르겠어요."],
    "ja": ["時間通りに来られるかわかりません。"],
    "zh": ["我不知道我们能不能准时到。"],
}
"""Written for this test, in sentences of 6 to 15 words."""


def test_nine_in_ten_sentences_are_given_their_language_and_few_a_wrong_one() -> None:
    gold = [code for code, lines in SENTENCES.items() for _ in lines]
    found = text_statistics([line for lines in SENTENCES.values() for line in lines]).languages
    right = sum(a == b for a, b in zip(gold, found, strict=True))
    wrong = [(a, b) for a, b in zip(gold, found, strict=True) if b not in (a, "unknown")]
    assert right >= 0.9 * len(gold), [pair for pair in zip(gold, found, strict=True) if pair[0] != pair[1]]
    assert len(wrong) <= 0.04 * len(gold), wrong


@pytest.mark.parametrize(
    "text", ["", "12345", "ok", "ok lar joking wif u oni", "Marit Oduya Brandt", "qwe zxc asd fgh", "!!! 50%"]
)
def test_too_little_is_unknown(text: str) -> None:
    assert text_statistics([text]).languages == ("unknown",)


def test_scripts_are_those_of_most_letters() -> None:
    texts = ["abc д", "дом a", "123", "日本です語", "한국", "ⴰⴱⴳ"]
    assert text_statistics(texts).scripts == ("latin", "cyrillic", "none", "han", "hangul", "other")


def test_no_rows_give_no_values() -> None:
    found = text_statistics([])
    assert len(found) == 0 and all(len(values) == 0 for values in found.numbers.values())


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a@" * 300_000, "www." * 300_000, "." * 1_000_000])
def test_a_hostile_text_takes_no_longer_than_another(text: str) -> None:
    began = time.process_time()
    text_statistics([text])
    assert time.process_time() - began < 3


@pytest.mark.slow
def test_33_000_mails_take_seconds(data_folder) -> None:
    table = pq.read_table(data_folder / "enron_spam.parquet")
    texts = [
        f"{a or ''}\n{b or ''}"
        for a, b in zip(*(table[c].to_pylist() for c in ("subject", "text")), strict=True)
    ]
    text_statistics(texts[:10])
    began = time.process_time()
    found = text_statistics(texts)
    assert time.process_time() - began < 12  # 6 s on an idle core
    others = len(texts) - found.languages.count("en") - found.languages.count("unknown")
    assert found.languages.count("en") > 0.85 * len(texts) and others < 0.02 * len(texts)
