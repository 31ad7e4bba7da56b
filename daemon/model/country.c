/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>

#include "common/text.h"
#include "daemon/model/country.h"
#include "daemon/model/unicode.h"

/* ISO 3166-1 alpha-2 and XK, sorted. */
static const char codes[][3] = {
        "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ",
        "BA", "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS",
        "BT", "BV", "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN",
        "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE",
        "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF",
        "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM",
        "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM",
        "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC",
        "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
        "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA",
        "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG",
        "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW",
        "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS",
        "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO",
        "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI",
        "VN", "VU", "WF", "WS", "XK", "YE", "YT", "ZA", "ZM", "ZW",
};

typedef struct Name {
        const char *name;
        char code[3];
} Name;

/* Short and official English names and those that people and other programs use, in the form of name_form(), sorted. */
static const Name names[] = {
        { "afghanistan", "AF" }, { "aland", "AX" }, { "aland islands", "AX" }, { "albania", "AL" },
        { "algeria", "DZ" }, { "american samoa", "AS" }, { "andorra", "AD" }, { "angola", "AO" },
        { "anguilla", "AI" }, { "antarctica", "AQ" }, { "antigua and barbuda", "AG" },
        { "arab republic of egypt", "EG" }, { "argentina", "AR" }, { "argentine republic", "AR" },
        { "armenia", "AM" }, { "aruba", "AW" }, { "australia", "AU" }, { "austria", "AT" },
        { "azerbaijan", "AZ" }, { "bahamas", "BS" }, { "bahrain", "BH" }, { "bangladesh", "BD" },
        { "barbados", "BB" }, { "belarus", "BY" }, { "belgium", "BE" }, { "belize", "BZ" },
        { "benin", "BJ" }, { "bermuda", "BM" }, { "bhutan", "BT" },
        { "bolivarian republic of venezuela", "VE" }, { "bolivia", "BO" },
        { "bolivia plurinational state of", "BO" }, { "bonaire", "BQ" },
        { "bonaire sint eustatius and saba", "BQ" }, { "bosnia", "BA" }, { "bosnia and herzegovina", "BA" },
        { "bosnia herzegovina", "BA" }, { "botswana", "BW" }, { "bouvet island", "BV" }, { "brazil", "BR" },
        { "britain", "GB" }, { "british indian ocean territory", "IO" }, { "british virgin islands", "VG" },
        { "brunei", "BN" }, { "brunei darussalam", "BN" }, { "bulgaria", "BG" }, { "burkina faso", "BF" },
        { "burma", "MM" }, { "burundi", "BI" }, { "cabo verde", "CV" }, { "cambodia", "KH" },
        { "cameroon", "CM" }, { "canada", "CA" }, { "cape verde", "CV" }, { "cape verde islands", "CV" },
        { "caribbean netherlands", "BQ" }, { "cayman islands", "KY" }, { "central african republic", "CF" },
        { "chad", "TD" }, { "chile", "CL" }, { "china", "CN" }, { "china peoples republic of", "CN" },
        { "chinese taipei", "TW" }, { "christmas island", "CX" }, { "cocos islands", "CC" },
        { "cocos keeling islands", "CC" }, { "colombia", "CO" }, { "commonwealth of bahamas", "BS" },
        { "commonwealth of dominica", "DM" }, { "commonwealth of northern mariana islands", "MP" },
        { "comoros", "KM" }, { "congo", "CG" }, { "congo brazzaville", "CG" },
        { "congo democratic republic", "CD" }, { "congo democratic republic of", "CD" },
        { "congo drc", "CD" }, { "congo kinshasa", "CD" }, { "congo republic of", "CG" },
        { "cook islands", "CK" }, { "costa rica", "CR" }, { "cote d ivoire", "CI" },
        { "cote divoire", "CI" }, { "croatia", "HR" }, { "cuba", "CU" }, { "curacao", "CW" },
        { "cyprus", "CY" }, { "czech", "CZ" }, { "czech republic", "CZ" }, { "czechia", "CZ" },
        { "democratic peoples republic of korea", "KP" }, { "democratic republic of congo", "CD" },
        { "democratic republic of sao tome and principe", "ST" },
        { "democratic republic of timor leste", "TL" },
        { "democratic socialist republic of sri lanka", "LK" }, { "denmark", "DK" }, { "djibouti", "DJ" },
        { "dominica", "DM" }, { "dominican republic", "DO" }, { "dprk", "KP" }, { "dr congo", "CD" },
        { "drc", "CD" }, { "east timor", "TL" }, { "eastern republic of uruguay", "UY" },
        { "ecuador", "EC" }, { "egypt", "EG" }, { "eire", "IE" }, { "el salvador", "SV" },
        { "emirates", "AE" }, { "england", "GB" }, { "equatorial guinea", "GQ" }, { "eritrea", "ER" },
        { "estonia", "EE" }, { "eswatini", "SZ" }, { "ethiopia", "ET" }, { "faeroe islands", "FO" },
        { "falkland islands", "FK" }, { "falkland islands malvinas", "FK" }, { "falklands", "FK" },
        { "faroe islands", "FO" }, { "federal democratic republic of ethiopia", "ET" },
        { "federal democratic republic of nepal", "NP" }, { "federal republic of germany", "DE" },
        { "federal republic of nigeria", "NG" }, { "federal republic of somalia", "SO" },
        { "federated states of micronesia", "FM" }, { "federative republic of brazil", "BR" },
        { "fiji", "FJ" }, { "finland", "FI" }, { "france", "FR" }, { "french guiana", "GF" },
        { "french polynesia", "PF" }, { "french republic", "FR" },
        { "french southern and antarctic lands", "TF" }, { "french southern territories", "TF" },
        { "fyrom", "MK" }, { "gabon", "GA" }, { "gabonese republic", "GA" }, { "gambia", "GM" },
        { "georgia", "GE" }, { "germany", "DE" }, { "ghana", "GH" }, { "gibraltar", "GI" },
        { "grand duchy of luxembourg", "LU" }, { "great britain", "GB" }, { "greece", "GR" },
        { "greenland", "GL" }, { "grenada", "GD" }, { "guadeloupe", "GP" }, { "guam", "GU" },
        { "guatemala", "GT" }, { "guernsey", "GG" }, { "guinea", "GN" }, { "guinea bissau", "GW" },
        { "guyana", "GY" }, { "haiti", "HT" }, { "hashemite kingdom of jordan", "JO" },
        { "heard and mcdonald islands", "HM" }, { "heard island and mcdonald islands", "HM" },
        { "hellenic republic", "GR" }, { "holland", "NL" }, { "holy see", "VA" },
        { "holy see vatican city state", "VA" }, { "honduras", "HN" }, { "hong kong", "HK" },
        { "hong kong china", "HK" }, { "hong kong sar", "HK" }, { "hong kong sar china", "HK" },
        { "hong kong special administrative region of china", "HK" }, { "hungary", "HU" },
        { "iceland", "IS" }, { "independent state of papua new guinea", "PG" },
        { "independent state of samoa", "WS" }, { "india", "IN" }, { "indonesia", "ID" }, { "iran", "IR" },
        { "iran islamic republic of", "IR" }, { "iraq", "IQ" }, { "ireland", "IE" },
        { "islamic republic of afghanistan", "AF" }, { "islamic republic of iran", "IR" },
        { "islamic republic of mauritania", "MR" }, { "islamic republic of pakistan", "PK" },
        { "isle of man", "IM" }, { "israel", "IL" }, { "italian republic", "IT" }, { "italy", "IT" },
        { "ivory coast", "CI" }, { "jamaica", "JM" }, { "japan", "JP" }, { "jersey", "JE" },
        { "jordan", "JO" }, { "kazakhstan", "KZ" }, { "keeling islands", "CC" }, { "kenya", "KE" },
        { "kingdom of bahrain", "BH" }, { "kingdom of belgium", "BE" }, { "kingdom of bhutan", "BT" },
        { "kingdom of cambodia", "KH" }, { "kingdom of denmark", "DK" }, { "kingdom of eswatini", "SZ" },
        { "kingdom of lesotho", "LS" }, { "kingdom of morocco", "MA" }, { "kingdom of netherlands", "NL" },
        { "kingdom of norway", "NO" }, { "kingdom of saudi arabia", "SA" }, { "kingdom of spain", "ES" },
        { "kingdom of sweden", "SE" }, { "kingdom of thailand", "TH" }, { "kingdom of tonga", "TO" },
        { "kiribati", "KI" }, { "korea", "KR" }, { "korea democratic peoples republic of", "KP" },
        { "korea north", "KP" }, { "korea republic of", "KR" }, { "korea south", "KR" }, { "kosovo", "XK" },
        { "kuwait", "KW" }, { "kyrgyz republic", "KG" }, { "kyrgyzstan", "KG" },
        { "lao peoples democratic republic", "LA" }, { "laos", "LA" }, { "latvia", "LV" },
        { "lebanese republic", "LB" }, { "lebanon", "LB" }, { "lesotho", "LS" }, { "liberia", "LR" },
        { "libya", "LY" }, { "libyan arab jamahiriya", "LY" }, { "liechtenstein", "LI" },
        { "lithuania", "LT" }, { "luxembourg", "LU" }, { "macao", "MO" }, { "macao sar", "MO" },
        { "macao sar china", "MO" }, { "macao special administrative region of china", "MO" },
        { "macau", "MO" }, { "macau sar", "MO" }, { "macau sar china", "MO" }, { "macedonia", "MK" },
        { "macedonia former yugoslav republic of", "MK" }, { "macedonia fyrom", "MK" },
        { "madagascar", "MG" }, { "mainland china", "CN" }, { "malawi", "MW" }, { "malaysia", "MY" },
        { "maldives", "MV" }, { "mali", "ML" }, { "malta", "MT" }, { "man isle of", "IM" },
        { "marshall islands", "MH" }, { "martinique", "MQ" }, { "mauritania", "MR" }, { "mauritius", "MU" },
        { "mayotte", "YT" }, { "mexico", "MX" }, { "micronesia", "FM" },
        { "micronesia federated states of", "FM" }, { "moldova", "MD" }, { "moldova republic of", "MD" },
        { "monaco", "MC" }, { "mongolia", "MN" }, { "montenegro", "ME" }, { "montserrat", "MS" },
        { "morocco", "MA" }, { "mozambique", "MZ" }, { "myanmar", "MM" }, { "namibia", "NA" },
        { "nauru", "NR" }, { "nederland", "NL" }, { "nepal", "NP" }, { "netherlands", "NL" },
        { "netherlands kingdom of", "NL" }, { "new caledonia", "NC" }, { "new zealand", "NZ" },
        { "nicaragua", "NI" }, { "niger", "NE" }, { "nigeria", "NG" }, { "niue", "NU" },
        { "norfolk island", "NF" }, { "north korea", "KP" }, { "north macedonia", "MK" },
        { "northern ireland", "GB" }, { "northern mariana islands", "MP" }, { "norway", "NO" },
        { "oman", "OM" }, { "pakistan", "PK" }, { "palau", "PW" }, { "palestine", "PS" },
        { "palestine state of", "PS" }, { "palestinian territories", "PS" },
        { "palestinian territory", "PS" }, { "palestinian territory occupied", "PS" }, { "panama", "PA" },
        { "papua new guinea", "PG" }, { "paraguay", "PY" },
        { "peoples democratic republic of algeria", "DZ" }, { "peoples republic of bangladesh", "BD" },
        { "peoples republic of china", "CN" }, { "peru", "PE" }, { "philippines", "PH" },
        { "pitcairn", "PN" }, { "pitcairn islands", "PN" }, { "plurinational state of bolivia", "BO" },
        { "poland", "PL" }, { "portugal", "PT" }, { "portuguese republic", "PT" }, { "pr china", "CN" },
        { "principality of andorra", "AD" }, { "principality of liechtenstein", "LI" },
        { "principality of monaco", "MC" }, { "puerto rico", "PR" }, { "qatar", "QA" },
        { "republic of albania", "AL" }, { "republic of angola", "AO" }, { "republic of armenia", "AM" },
        { "republic of austria", "AT" }, { "republic of azerbaijan", "AZ" }, { "republic of belarus", "BY" },
        { "republic of benin", "BJ" }, { "republic of bosnia and herzegovina", "BA" },
        { "republic of botswana", "BW" }, { "republic of bulgaria", "BG" }, { "republic of burundi", "BI" },
        { "republic of cabo verde", "CV" }, { "republic of cameroon", "CM" }, { "republic of chad", "TD" },
        { "republic of chile", "CL" }, { "republic of colombia", "CO" }, { "republic of congo", "CG" },
        { "republic of costa rica", "CR" }, { "republic of cote divoire", "CI" },
        { "republic of croatia", "HR" }, { "republic of cuba", "CU" }, { "republic of cyprus", "CY" },
        { "republic of djibouti", "DJ" }, { "republic of ecuador", "EC" },
        { "republic of el salvador", "SV" }, { "republic of equatorial guinea", "GQ" },
        { "republic of estonia", "EE" }, { "republic of fiji", "FJ" }, { "republic of finland", "FI" },
        { "republic of gambia", "GM" }, { "republic of ghana", "GH" }, { "republic of guatemala", "GT" },
        { "republic of guinea", "GN" }, { "republic of guinea bissau", "GW" },
        { "republic of guyana", "GY" }, { "republic of haiti", "HT" }, { "republic of honduras", "HN" },
        { "republic of iceland", "IS" }, { "republic of india", "IN" }, { "republic of indonesia", "ID" },
        { "republic of iraq", "IQ" }, { "republic of ireland", "IE" }, { "republic of kazakhstan", "KZ" },
        { "republic of kenya", "KE" }, { "republic of kiribati", "KI" }, { "republic of korea", "KR" },
        { "republic of kosovo", "XK" }, { "republic of latvia", "LV" }, { "republic of liberia", "LR" },
        { "republic of lithuania", "LT" }, { "republic of madagascar", "MG" },
        { "republic of malawi", "MW" }, { "republic of maldives", "MV" }, { "republic of mali", "ML" },
        { "republic of malta", "MT" }, { "republic of marshall islands", "MH" },
        { "republic of mauritius", "MU" }, { "republic of moldova", "MD" },
        { "republic of mozambique", "MZ" }, { "republic of myanmar", "MM" }, { "republic of namibia", "NA" },
        { "republic of nauru", "NR" }, { "republic of nicaragua", "NI" }, { "republic of niger", "NE" },
        { "republic of north macedonia", "MK" }, { "republic of palau", "PW" },
        { "republic of panama", "PA" }, { "republic of paraguay", "PY" }, { "republic of peru", "PE" },
        { "republic of philippines", "PH" }, { "republic of poland", "PL" },
        { "republic of san marino", "SM" }, { "republic of senegal", "SN" }, { "republic of serbia", "RS" },
        { "republic of seychelles", "SC" }, { "republic of sierra leone", "SL" },
        { "republic of singapore", "SG" }, { "republic of slovenia", "SI" },
        { "republic of south africa", "ZA" }, { "republic of south sudan", "SS" },
        { "republic of sudan", "SD" }, { "republic of suriname", "SR" }, { "republic of tajikistan", "TJ" },
        { "republic of trinidad and tobago", "TT" }, { "republic of tunisia", "TN" },
        { "republic of turkiye", "TR" }, { "republic of uganda", "UG" }, { "republic of uzbekistan", "UZ" },
        { "republic of vanuatu", "VU" }, { "republic of yemen", "YE" }, { "republic of zambia", "ZM" },
        { "republic of zimbabwe", "ZW" }, { "reunion", "RE" }, { "romania", "RO" }, { "russia", "RU" },
        { "russian fed", "RU" }, { "russian federation", "RU" }, { "rwanda", "RW" },
        { "rwandese republic", "RW" }, { "saint barthelemy", "BL" }, { "saint barts", "BL" },
        { "saint helena", "SH" }, { "saint helena ascension and tristan da cunha", "SH" },
        { "saint kitts", "KN" }, { "saint kitts and nevis", "KN" }, { "saint lucia", "LC" },
        { "saint maarten", "SX" }, { "saint martin", "MF" }, { "saint martin french part", "MF" },
        { "saint pierre and miquelon", "PM" }, { "saint vincent", "VC" },
        { "saint vincent and grenadines", "VC" }, { "samoa", "WS" }, { "san marino", "SM" },
        { "sao tome", "ST" }, { "sao tome and principe", "ST" }, { "saudi arabia", "SA" },
        { "scotland", "GB" }, { "senegal", "SN" }, { "serbia", "RS" }, { "seychelles", "SC" },
        { "sierra leone", "SL" }, { "singapore", "SG" }, { "sint maarten", "SX" },
        { "sint maarten dutch part", "SX" }, { "slovak republic", "SK" }, { "slovakia", "SK" },
        { "slovenia", "SI" }, { "socialist republic of viet nam", "VN" }, { "solomon islands", "SB" },
        { "somalia", "SO" }, { "south africa", "ZA" }, { "south georgia", "GS" },
        { "south georgia and south sandwich islands", "GS" }, { "south korea", "KR" },
        { "south sudan", "SS" }, { "spain", "ES" }, { "sri lanka", "LK" }, { "state of eritrea", "ER" },
        { "state of israel", "IL" }, { "state of kuwait", "KW" }, { "state of palestine", "PS" },
        { "state of qatar", "QA" }, { "sudan", "SD" }, { "sultanate of oman", "OM" }, { "suriname", "SR" },
        { "svalbard", "SJ" }, { "svalbard and jan mayen", "SJ" }, { "swaziland", "SZ" }, { "sweden", "SE" },
        { "swiss confederation", "CH" }, { "switzerland", "CH" }, { "syria", "SY" },
        { "syrian arab republic", "SY" }, { "taiwan", "TW" }, { "taiwan province of china", "TW" },
        { "taiwan republic of china", "TW" }, { "tajikistan", "TJ" }, { "tanzania", "TZ" },
        { "tanzania united republic of", "TZ" }, { "thailand", "TH" }, { "timor leste", "TL" },
        { "togo", "TG" }, { "togolese republic", "TG" }, { "tokelau", "TK" }, { "tonga", "TO" },
        { "trinidad and tobago", "TT" }, { "tunisia", "TN" }, { "turkey", "TR" }, { "turkiye", "TR" },
        { "turkmenistan", "TM" }, { "turks and caicos islands", "TC" }, { "tuvalu", "TV" }, { "uae", "AE" },
        { "uganda", "UG" }, { "uk of great britain and northern ireland", "GB" }, { "ukraine", "UA" },
        { "union of comoros", "KM" }, { "united arab emirates", "AE" }, { "united kingdom", "GB" },
        { "united kingdom of great britain and northern ireland", "GB" }, { "united mexican states", "MX" },
        { "united republic of tanzania", "TZ" }, { "united states", "US" },
        { "united states minor outlying islands", "UM" }, { "united states of america", "US" },
        { "united states usa", "US" }, { "united states virgin islands", "VI" }, { "uruguay", "UY" },
        { "us", "US" }, { "us minor outlying islands", "UM" }, { "us outlying islands", "UM" },
        { "us virgin islands", "VI" }, { "usa", "US" }, { "uzbekistan", "UZ" }, { "vanuatu", "VU" },
        { "vatican", "VA" }, { "vatican city", "VA" }, { "vatican city state", "VA" },
        { "vatican holy see", "VA" }, { "venezuela", "VE" }, { "venezuela bolivarian republic of", "VE" },
        { "viet nam", "VN" }, { "vietnam", "VN" }, { "virgin islands british", "VG" },
        { "virgin islands of united states", "VI" }, { "virgin islands us", "VI" }, { "wales", "GB" },
        { "wallis and futuna", "WF" }, { "western sahara", "EH" }, { "yemen", "YE" }, { "zambia", "ZM" },
        { "zimbabwe", "ZW" },
};

enum { NAME_MAX_BYTES = 100 };       /* far above the longest name */

static int by_code(const void *key, const void *code) {
        return strcmp(key, code);
}

static int by_name(const void *key, const void *name) {
        return strcmp(key, ((const Name *) name)->name);
}

/* Lower-case words of ASCII with one blank between them: without marks, apostrophes and dots, & as and, St as saint, no
 * "the". So "Côte d’Ivoire", "COTE D'IVOIRE", "St. Lucia" and "Netherlands, The" are found as they come. Letters of other
 * scripts stay and find nothing. */
static const char *name_form(Arena *a, const char *name) {
        char *key = text_key(a, name);
        Buffer b = {};

        for (const char *p = key; *p;) {
                char word[NAME_MAX_BYTES * 4];
                size_t n = 0;
                for (; *p && n + 1 < sizeof(word); p++) {
                        if (str_starts(p, "\u2019"))
                                p += strlen("\u2019") - 1;
                        else if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || (unsigned char) *p >= 0x80)
                                word[n++] = *p;
                        else if (*p != '.' && *p != '\'')
                                break;
                }
                word[n] = 0;
                if (n > 0 && !str_equal(word, "the"))
                        buffer_printf(&b, "%s%s", b.size ? " " : "", str_equal(word, "st") ? "saint" : word);
                if (*p == '&')
                        buffer_add_string(&b, b.size ? " and" : "and");
                if (*p)
                        p++;
        }
        return buffer_into(&b, a);
}

const char *country_from_name(const char *name) {
        size_t n = strlen(name);

        if (n < 3 || n > NAME_MAX_BYTES || !utf8_valid(name, n))
                return NULL;
        _cleanup_(arena_freep) Arena *a = arena_new();
        const Name *found = bsearch(name_form(a, name), names, ELEMENTSOF(names), sizeof(names[0]), by_name);
        return found ? found->code : NULL;
}

static int refuse(const char *field, const char *text, Problem *ret) {
        const char *code = country_from_name(text);

        if (code) {
                problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-country", field,
                            "%s takes two-letter ISO 3166-1 codes: the code of %s is %s", field, text, code);
                problem_add_candidate(ret, code);
                return 1;
        }
        return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-country", field,
                           "%s must be a two-letter ISO 3166-1 code such as DE, not \"%.60s\"", field, text);
}

int country_check(Arena *a, const char *field, const char **text, Problem *ret) {
        const char *s = *text + strspn(*text, " \t");
        char code[3] = {};
        size_t n = strlen(s);

        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
                n--;
        if (n == 2)
                code[0] = ascii_upper(s[0]), code[1] = ascii_upper(s[1]);
        if (str_equal(code, "UK") || str_equal(code, "EL")) {
                bool greece = code[0] == 'E';
                problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-country", field,
                            "%s is no ISO 3166-1 code: the code of %s is %s", code,
                            greece ? "Greece" : "the United Kingdom", greece ? "GR" : "GB");
                problem_add_candidate(ret, greece ? "GR" : "GB");
                return 1;
        }
        if (n != 2 || !bsearch(code, codes, ELEMENTSOF(codes), sizeof(codes[0]), by_code))
                return refuse(field, *text, ret);
        *text = arena_strdup(a, code);
        return 0;
}
