"""The words that mean little in a name: legal forms, titles, particles, spelling variants; data only.

Everything is lower case ASCII, as `actors.aml.names` sees it after transliteration. A word belongs here only
if leaving it out (or calling it common) is right for any list; nothing is tuned to one list's entries.
"""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


# Dropped wherever they stand, because the same company is written with and without them.
LEGAL_FORMS = frozenset(
    _words("""
    ab ag aktiengesellschaft aktiebolag aps as asa bhd bv bvba co company corp corporation cv dba doo dd
    eg ev eurl fze fzco fzc fzllc gesmbh gmbh inc incorporated incorporation jsc kft kg kgaa kk
    kommanditgesellschaft lc lda limited limitada liability llc llp lllp lp ltd ltda ltee mbh nv oao ohg
    ojsc ooo oy oyj pao pc pjsc plc pllc pte pty pvt private ptr pt sa sab sac saca sae sagl sal saog
    saoc saa sapi sarl sas sasu scs sca sci se sl slu snc spa sprl spzoo sro srl sti tbk tov uab ug vof
    zao zrt
    """)
)

# Written out, as words that follow each other; the longest first.
LEGAL_PHRASES = tuple(
    tuple(_words(phrase))
    for phrase in (
        "gesellschaft mit beschrankter haftung",
        "obshchestvo s ogranichennoy otvetstvennostyu",
        "obshchestvo s ogranichennoi otvetstvennostyu",
        "otkrytoe aktsionernoe obshchestvo",
        "zakrytoe aktsionernoe obshchestvo",
        "publichnoe aktsionernoe obshchestvo",
        "aktsionernoe obshchestvo",
        "spolka z ograniczona odpowiedzialnoscia",
        "societatea cu raspundere limitata",
        "sociedad de responsabilidad limitada",
        "sociedad anonima de capital variable",
        "sociedad anonima",
        "societe a responsabilite limitee",
        "societe par actions simplifiee",
        "societe anonyme",
        "societa per azioni",
        "public joint stock company",
        "open joint stock company",
        "closed joint stock company",
        "joint stock company",
        "public limited company",
        "limited liability company",
        "limited liability partnership",
        "limited partnership",
        "naamloze vennootschap",
        "besloten vennootschap",
        "anonim sirketi",
        "limited sirketi",
        "sdn bhd",
        "sp z oo",
        "sp z o o",
        "sp zoo",
        "s p a",
        "s a r l",
        "s a s",
        "s r l",
        "s r o",
        "d o o",
        "o o o",
        "o a o",
        "g m b h",
        "l l c",
        "l l p",
        "p l c",
        "s de rl",
        "s de r l",
        "s a",
        "a s",
        "n v",
        "b v",
        "l p",
        "c v",
        "de c v",
        "de cv",
    )
)

# How a person is addressed, not what the person is called; and what a ship's name starts with.
TITLES = frozenset(
    _words("""
    mr mrs ms miss mx dr prof professor sir dame lord lady madame mme monsieur herr frau senor senora sr
    sra don dona shaikh sheikh sheik shaykh shekh haji hajji hadji hajj alhaj alhaji mullah mulla
    maulavi mawlawi maulana mawlana qari ustad ustaz general gen colonel col captain capt major
    lieutenant eng ing mv mt ss hrh
    """)
)

# They join the parts of a name and say nothing about whose it is.
PARTICLES = frozenset(
    _words("""
    al el ul as ad an ar at az ash the of and und et y e de del della der den di da do dos das du des la
    le les van von ten ter zu zur bin ben ibn bint binti ould oulad for in no na i fur pour para
    """)
)

# Real parts of a name that so many bear, or that so many firms use, that they identify little.
COMMON = frozenset(
    _words("""
    muhammad ahmad ali abdul abu abdullah hassan hussein khan said sayyid shah ibrahim umar uthman kim
    jose maria juan international trading group holding holdings general services service industries
    industrial industry enterprises enterprise global investment investments capital partners fund trust
    systems system solutions technologies technology management development import export bank national
    shipping transport europe company america asia africa east west north south northern southern
    eastern western new
    """)
)

# Spellings of one name that rules alone don't bring together.
VARIANTS = {
    spelling: name
    for name, spellings in {
        "muhammad": "mohammed mohammad mohamed mohamad muhammed muhamed mohamud mahomed mehmet mohd muhamad",
        "ahmad": "ahmed ahmet achmed achmad",
        "abdul": "abdel abdal abd abdoul abdol",
        "abu": "abou",
        "ali": "aly",
        "hassan": "hasan",
        "hussein": "husayn hussain husain hossein hosein hussayn hoseyn",
        "yusuf": "yousef youssef yousuf yussuf yusef",
        "umar": "omar omer",
        "uthman": "othman osman usman",
        "usama": "osama oussama",
        "khalid": "khaled",
        "abdullah": "abdallah abdulla abdalla",
        "ibrahim": "ebrahim ibraheem",
        "sayyid": "sayed syed sayyed seyed seyyed",
        "alexander": "aleksandr alexandr aleksandar oleksandr aleksander alexandre alexandros",
        "mikhail": "mihail mykhailo mikhael mixail",
        "sergey": "sergei sergej serge sergiy serhiy sergejs",
        "vladimir": "volodymyr wladimir vladimirs wolodymyr",
        "nikolai": "nikolay nikolaj nicolai mykola",
        "georgy": "georgiy georgi georgii",
        "ekaterina": "yekaterina kateryna",
        "andrei": "andrey andrej andriy andrii",
        "dmitry": "dmitri dmitrii dmitriy dimitri dmytro dimitry",
        "evgeny": "yevgeny evgeni evgenii yevgeniy evgeniy yevgenii",
        "labor": "labour",
        "organization": "organisation",
        "center": "centre",
        "manufacturing": "mfg",
        "international": "intl",
        "saint": "st",
        "brothers": "bros",
    }.items()
    for spelling in _words(spellings)
}

_UNITS = """
    zero / one first / two second / three third / four fourth / five fifth / six sixth / seven seventh
    / eight eighth / nine ninth / ten tenth / eleven eleventh / twelve twelfth / thirteen / fourteen / fifteen
    / sixteen / seventeen / eighteen / nineteen
"""
UNITS = {word: number for number, words in enumerate(_UNITS.split("/")) for word in _words(words)}
TENS = {
    word: 10 * number
    for number, words in enumerate(
        ("twenty", "thirty", "forty fourty", "fifty", "sixty", "seventy", "eighty", "ninety"), start=2
    )
    for word in _words(words)
}
# Single letters are initials at least as often as numbers and are left alone; Xi is a family name.
ROMAN = {
    numeral: number
    for number, numeral in enumerate(
        _words("i ii iii iv v vi vii viii ix x xi xii xiii xiv xv xvi xvii xviii xix xx"), start=1
    )
    if len(numeral) > 1 and numeral != "xi"
}
