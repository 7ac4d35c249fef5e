"""Language: a guess from script, function words and letters, for some thirty languages.

Small and plain on purpose: it tells a reader that a corpus holds several languages, and which. It is no
identifier of short texts: what holds fewer than two known words of a language is ``unknown``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "unknown"
READ = 600
"""Characters read of a text."""
FEWEST = 1.5
"""Least evidence: a word of k languages counts 1/k for each, a telling letter likewise."""
LEAD = 1.25
"""Least lead over the next language."""
LEAST_SHARE = 0.12
"""Least share of function words among the words read: a list of names is no sentence."""

SCRIPTS = (
    "latin", "cyrillic", "greek", "hebrew", "arabic", "devanagari", "bengali", "tamil", "thai", "hangul",
    "kana", "han", "other",
)  # fmt: skip
_RANGES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "cyrillic": ((0x400, 0x52F),),
    "greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "hebrew": ((0x5D0, 0x5F2),),
    "arabic": ((0x620, 0x64A), (0x66E, 0x6D5), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    "devanagari": ((0x900, 0x97F),),
    "bengali": ((0x980, 0x9FF),),
    "tamil": ((0xB80, 0xBFF),),
    "thai": ((0xE00, 0xE7F),),
    "hangul": ((0x1100, 0x11FF), (0xAC00, 0xD7A3)),
    "kana": ((0x3041, 0x30FF),),
    "han": ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2FA1F)),
}
_LATIN = ((0x41, 0x5A), (0x61, 0x7A), (0xAA, 0xAA), (0xBA, 0xBA), (0xC0, 0x24F), (0x1E00, 0x1EFF))

_BY_SCRIPT = {
    "greek": "el", "hebrew": "he", "devanagari": "hi", "bengali": "bn", "tamil": "ta", "thai": "th",
    "hangul": "ko", "kana": "ja",
}  # fmt: skip
"""Scripts that are read as one language here: Marathi and Nepali are called Hindi."""

_WORDS: Mapping[str, str] = {
    "en": "the of and to in is that it for you was with on as are be this have at from or not by but what "
    "we can your they he she will would there their if do my me just so know when how all out up no "
    "has had been who which our more about get like i an a its were them please",
    "de": "der die das und ist nicht ein eine zu den mit sich auf für im dem von sie ich es auch als an "
    "wir werden bei oder aber wie noch nur nach einen einem einer hat haben sind wird aus wenn dass "
    "ihr uns kann mir mich sehr heute bitte war über zum zur am ihre ihren",
    "nl": "de het een en van ik is dat niet op te in je met zijn voor die er maar als aan ook ze bij "
    "wordt heeft hebben naar uit wij deze dit kunnen nog wel geen mijn jij waar om over was hij zij "
    "veel heel ons",
    "fr": "le la les de des du et un une est que pour dans qui sur pas au avec ce il je vous nous sont "
    "par plus ne se en mais ou cette mon ma mes votre vos notre elle aux son sa ses leur être été "
    "fait très bien tout on",
    "es": "el la los las de que y en un una es por para con no se del al su lo como más pero sus le ya "
    "este esta todo muy hay mi yo nos ser son ha cuando sin sobre también me hasta donde está tiene "
    "usted fue porque",
    "pt": "o a os as de que e do da em um uma é para com não se na no por mais dos das como mas ao ele "
    "ela seu sua ou já está você nós também só pelo pela isso esta este são foi muito meu minha até "
    "quando nos eu tem",
    "it": "il la lo gli le di che e è un una per non con sono del della in si da dei nel alla come anche "
    "più ma questo questa mi ci al dal delle essere ho ha io suo tutti molto perché quando se sua "
    "lei hanno stato",
    "ro": "și de la în cu nu este pe o un a din că pentru mai sunt care ce se au am fi sau ca dar lui "
    "fost acest această prin după foarte tot noi ei el fiecare dacă când avem sa să le al ale",
    "ca": "el la els les de que i en un una és per amb no es del al su com més però seu aquest aquesta "
    "molt hi ha sense també són dels pel quan on jo tot ser meu nosaltres vostè ho",
    "sv": "och att det i en som är på för av med den till inte har de om ett var jag han vi kan men från "
    "ska när så sig hon nu man eller mycket alla bara där också min din vara efter mig ni",
    "da": "og at det i en som er på for af med den til ikke har de om et var jeg han vi kan men fra skal "
    "når så sig hun nu man eller meget alle kun der også min din være efter mig hvad blev",
    "no": "og at det i en som er på for av med den til ikke har de om et var jeg han vi kan men fra skal "
    "når så seg hun nå man eller mye alle bare der også min din være etter meg hva ble",
    "fi": "ja on ei se että hän oli ovat mutta kun tai myös niin kuin sen olen ole minä sinä me he tämä "
    "joka mitä nyt jos voi hyvin sekä ollut vain kaikki mukaan minun sitten siitä jo vielä paljon",
    "pl": "i w nie na się z że do to jest jak o co za po tym ale od czy dla jego jej są przez był była ma "
    "który która już tylko może bardzo tak ten ta być lub oraz gdy moje mnie mi przed które",
    "cs": "a je se na v že to s z do o ve jsem jako by ale jsou pro od po za byl byla si tak jeho co "
    "který která už jen může mezi nebo ten jak když při velmi mi být není také jsme před bude",
    "sk": "a je sa na v že to s z do o vo som ako by ale sú pre od po za bol bola si tak jeho čo ktorý "
    "ktorá už len môže medzi alebo ten keď pri veľmi mi byť nie tiež sme pred bude",
    "hu": "a az és hogy nem is egy van ez volt de csak meg mint már ha ki el vagy még mert azt be fel "
    "lesz nagyon minden ezt kell itt ott én te ő mi amely szerint után között nincs ami le",
    "tr": "ve bir bu da de için ile ne çok o daha gibi var kadar ben sen biz olarak olan en ama değil mi "
    "mı her sonra ya ki şey yok onun benim bana diye veya ise oldu olduğunu tarafından",
    "id": "yang dan di ini itu dengan untuk tidak dari dalam akan pada juga saya ke karena ada kami bisa "
    "oleh anda sudah atau mereka kita lebih telah adalah dia seperti kepada apa aku harus bahwa "
    "sangat",
    "vi": "và của là không có cho một được với người trong này đã những để các tôi khi đến ở về anh rất "
    "ra sẽ nhưng như bạn cũng chúng nếu vào từ hay đó thì phải rồi",
    "ru": "и в не на что с я он как это но по из за так к у же от бы вы мы она они для то все был была "
    "было были его её мне если или о до когда только очень где нет есть можно меня",
    "uk": "і в не на що з я він як це але по із за так до у ж від б ви ми вона вони для то всі був була "
    "було були його її мені якщо або о коли тільки дуже де немає є можна та й про",
    "bg": "и в не на че с аз той как това но по от за така към у бе вие ние тя те да се са беше е ще си "
    "му или когато само много къде няма има може мен ми който която",
    "sr": "и у не на да с ја он као то али по из за тако к од би ви ми она они је се су био била било "
    "биле његов ако или до када само веома где нема има може сам што",
    "ar": "في من على إلى أن هذا هذه ما لا كان مع عن التي الذي هو هي كل لم قد أو ثم بعد إن كانت بين أنا "
    "نحن أنت ذلك",
    "fa": "در و به از که این را با است برای آن یک تا هم می بر بود شد خود ما من شما او اما یا هر باید نیست "
    "کرد",
    "ur": "میں کے کی ہے اور سے کا کو پر یہ نے ہیں تھا وہ بھی نہیں ایک کر جو اس تو ہم آپ کیا گیا رہا ہو "
    "تھی لیے",
}
"""Function words, the commonest first."""

_LETTERS: Mapping[str, str] = {
    "ß": "de", "äöü": "de", "ñ¿¡": "es", "ãõ": "pt", "ç": "fr pt ca", "êîœ": "fr", "ò": "it ca",
    "țșăţş": "ro", "å": "sv da no", "æø": "da no", "łżźśńąę": "pl", "řěů": "cs", "ľĺŕô": "sk",
    "őű": "hu", "ğış": "tr", "đơưạảấầẩậắằệểễịọốồộớờợụủứừự": "vi", "ыэё": "ru", "їєґі": "uk",
    "ъщ": "bg", "јљњђћџ": "sr", "پچژگ": "fa ur", "ٹڈڑںے": "ur",
}  # fmt: skip
"""Letters that few languages have: evidence as good as a word, once a set."""

_WORD = re.compile(r"[^\W\d_]+")


def guess_language(lowered: str, script: str) -> str:
    """ISO 639-1 code of the language of a lower-cased text, ``unknown`` where there is too little to say.

    Args:
        lowered: the text in lower case; its first :data:`READ` characters are read.
        script: the script of most of its letters, one of :data:`SCRIPTS` or ``none``.
    """
    if script in _BY_SCRIPT:
        return _BY_SCRIPT[script]
    if script == "han":
        return "ja" if _KANA.search(lowered[:READ]) else "zh"
    if script not in ("latin", "cyrillic", "arabic"):
        return UNKNOWN
    words = _WORD.findall(lowered[:READ])
    score: dict[str, float] = {}
    table = _languages_of()
    known = [word for word in words if word in table]
    for word in set(known):
        for language in table[word]:
            score[language] = score.get(language, 0.0) + 1 / len(table[word])
    if not score or len(known) < LEAST_SHARE * len(words):
        return UNKNOWN
    if not lowered.isascii():
        marks = set(lowered[:READ])
        for letters, languages in _LETTERS.items():
            if not marks.isdisjoint(letters):
                for language in languages.split():
                    score[language] = score.get(language, 0.0) + 1 / len(languages.split())
    (first, most), *rest = sorted(score.items(), key=lambda item: (-item[1], item[0]))
    if most < FEWEST or (rest and most < LEAD * rest[0][1]):
        return UNKNOWN
    return first


@lru_cache(maxsize=1)
def script_table() -> NDArray[np.uint8]:
    """For each code point 1 + the index of its script in :data:`SCRIPTS`, 0 where it is no letter."""
    table = np.zeros(sys.maxunicode + 1, np.uint8)
    for point in range(sys.maxunicode + 1):
        if chr(point).isalpha():
            table[point] = len(SCRIPTS)
    for name, ranges in {"latin": _LATIN, **_RANGES}.items():
        for first, last in ranges:
            part = table[first : last + 1]
            part[part > 0] = 1 + SCRIPTS.index(name)
    return table


@lru_cache(maxsize=1)
def _languages_of() -> Mapping[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for language, words in _WORDS.items():
        for word in dict.fromkeys(words.split()):
            table[word] = (*table.get(word, ()), language)
    return table


_KANA = re.compile(r"[\u3041-\u30ff]")
