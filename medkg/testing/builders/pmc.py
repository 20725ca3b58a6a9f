"""JATS articles, alone and in sets of PMC."""

from __future__ import annotations


def an_article(
    body: str = "<sec><title>Methods</title><p>We walked.</p></sec>",
    *,
    ids: str = '<article-id pub-id-type="pmc">1234567</article-id>',
    title: str = "Walking and sleep",
    abstract: str = "<p>Walking helps.</p>",
    back: str = "",
    meta: str = "",
    extra: str = "",
    doctype: str = '<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) v1.0//EN" "JATS.dtd">',
) -> bytes:
    """A JATS article; `body` and `back` are the XML in those elements, `meta` more of its article-meta.

    `extra` stands behind the back matter.
    """
    return f"""<?xml version="1.0" encoding="UTF-8"?>
{doctype}
<article article-type="research-article" xmlns:mml="http://www.w3.org/1998/Math/MathML"
 xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ali="http://www.niso.org/schemas/ali/1.0/">
<front><journal-meta><journal-title>Journal of Walks</journal-title></journal-meta>
<article-meta>{ids}<title-group><article-title>{title}</article-title></title-group>
<contrib-group><contrib contrib-type="author"><name><surname>Walker</surname><given-names>Ann</given-names>
</name></contrib></contrib-group><pub-date pub-type="epub"><year>2020</year></pub-date>
{meta}<abstract>{abstract}</abstract></article-meta></front>
<body>{body}</body><back>{back}</back>{extra}</article>""".encode()


def a_pmc_set(*articles: bytes) -> bytes:
    """What efetch gives for some articles of PMC: without their own prologs, in one set."""
    inside = b"\n".join(article[article.index(b"<article") :] for article in articles or (an_article(),))
    doctype = b'<!DOCTYPE pmc-articleset PUBLIC "-//NLM//DTD ARTICLE SET 2.0//EN" "nlm-articleset-2.0.dtd">'
    return b'<?xml version="1.0"?>\n' + doctype + b"\n<pmc-articleset>" + inside + b"</pmc-articleset>\n"


def a_pmc_article(number: str, title: str = "Walking and sleep") -> bytes:
    """An article as an element of a set."""
    ids = f'<article-id pub-id-type="pmc">{number}</article-id>'
    return an_article(ids=ids, title=title, doctype="").partition(b"?>")[2].strip()
