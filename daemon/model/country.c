/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <strings.h>

#include "daemon/model/country.h"

/* ISO 3166-1 with the English short names and those that people use; sorted by code, a code as often as it has names. */
static const struct {
        char code[3];
        const char *name;
} countries[] = {
        { "AD", "Andorra" }, { "AE", "UAE" }, { "AE", "United Arab Emirates" }, { "AF", "Afghanistan" },
        { "AG", "Antigua and Barbuda" }, { "AI", "Anguilla" }, { "AL", "Albania" }, { "AM", "Armenia" },
        { "AO", "Angola" }, { "AQ", "Antarctica" }, { "AR", "Argentina" }, { "AS", "American Samoa" },
        { "AT", "Austria" }, { "AU", "Australia" }, { "AW", "Aruba" }, { "AX", "Åland Islands" },
        { "AZ", "Azerbaijan" }, { "BA", "Bosnia and Herzegovina" }, { "BB", "Barbados" },
        { "BD", "Bangladesh" }, { "BE", "Belgium" }, { "BF", "Burkina Faso" }, { "BG", "Bulgaria" },
        { "BH", "Bahrain" }, { "BI", "Burundi" }, { "BJ", "Benin" }, { "BL", "Saint Barthélemy" },
        { "BM", "Bermuda" }, { "BN", "Brunei" }, { "BN", "Brunei Darussalam" }, { "BO", "Bolivia" },
        { "BO", "Bolivia, Plurinational State of" }, { "BQ", "Bonaire" },
        { "BQ", "Bonaire, Sint Eustatius and Saba" }, { "BR", "Brazil" }, { "BS", "Bahamas" },
        { "BT", "Bhutan" }, { "BV", "Bouvet Island" }, { "BW", "Botswana" }, { "BY", "Belarus" },
        { "BZ", "Belize" }, { "CA", "Canada" }, { "CC", "Cocos (Keeling) Islands" },
        { "CD", "Congo (Kinshasa)" }, { "CD", "Congo, The Democratic Republic of the" },
        { "CF", "Central African Republic" }, { "CH", "Switzerland" }, { "CI", "Côte d'Ivoire" },
        { "CI", "Ivory Coast" }, { "CK", "Cook Islands" }, { "CL", "Chile" }, { "CM", "Cameroon" },
        { "CN", "China" }, { "CO", "Colombia" }, { "CR", "Costa Rica" }, { "CU", "Cuba" },
        { "CV", "Cabo Verde" }, { "CV", "Cape Verde" }, { "CW", "Curaçao" }, { "CX", "Christmas Island" },
        { "CY", "Cyprus" }, { "CZ", "Czech Republic" }, { "CZ", "Czechia" }, { "DE", "Germany" },
        { "DJ", "Djibouti" }, { "DK", "Denmark" }, { "DM", "Dominica" }, { "DO", "Dominican Republic" },
        { "DZ", "Algeria" }, { "EC", "Ecuador" }, { "EE", "Estonia" }, { "EG", "Egypt" },
        { "EH", "Western Sahara" }, { "ER", "Eritrea" }, { "ES", "Spain" }, { "ET", "Ethiopia" },
        { "FI", "Finland" }, { "FJ", "Fiji" }, { "FK", "Falkland Islands" },
        { "FK", "Falkland Islands (Malvinas)" }, { "FM", "Micronesia" },
        { "FM", "Micronesia, Federated States of" }, { "FO", "Faroe Islands" }, { "FR", "France" },
        { "GA", "Gabon" }, { "GB", "England" }, { "GB", "Great Britain" }, { "GB", "Northern Ireland" },
        { "GB", "Scotland" }, { "GB", "United Kingdom" }, { "GB", "Wales" }, { "GD", "Grenada" },
        { "GE", "Georgia" }, { "GF", "French Guiana" }, { "GG", "Guernsey" }, { "GH", "Ghana" },
        { "GI", "Gibraltar" }, { "GL", "Greenland" }, { "GM", "Gambia" }, { "GN", "Guinea" },
        { "GP", "Guadeloupe" }, { "GQ", "Equatorial Guinea" }, { "GR", "Greece" },
        { "GS", "South Georgia and the South Sandwich Islands" }, { "GT", "Guatemala" }, { "GU", "Guam" },
        { "GW", "Guinea-Bissau" }, { "GY", "Guyana" }, { "HK", "Hong Kong" }, { "HK", "Hong Kong SAR" },
        { "HM", "Heard Island and McDonald Islands" }, { "HN", "Honduras" }, { "HR", "Croatia" },
        { "HT", "Haiti" }, { "HU", "Hungary" }, { "ID", "Indonesia" }, { "IE", "Ireland" },
        { "IL", "Israel" }, { "IM", "Isle of Man" }, { "IN", "India" },
        { "IO", "British Indian Ocean Territory" }, { "IQ", "Iraq" }, { "IR", "Iran" },
        { "IR", "Iran, Islamic Republic of" }, { "IS", "Iceland" }, { "IT", "Italy" }, { "JE", "Jersey" },
        { "JM", "Jamaica" }, { "JO", "Jordan" }, { "JP", "Japan" }, { "KE", "Kenya" },
        { "KG", "Kyrgyzstan" }, { "KH", "Cambodia" }, { "KI", "Kiribati" }, { "KM", "Comoros" },
        { "KN", "Saint Kitts and Nevis" }, { "KP", "Korea, Democratic People's Republic of" },
        { "KP", "North Korea" }, { "KR", "Korea, Republic of" }, { "KR", "South Korea" },
        { "KW", "Kuwait" }, { "KY", "Cayman Islands" }, { "KZ", "Kazakhstan" },
        { "LA", "Lao People's Democratic Republic" }, { "LA", "Laos" }, { "LB", "Lebanon" },
        { "LC", "Saint Lucia" }, { "LI", "Liechtenstein" }, { "LK", "Sri Lanka" }, { "LR", "Liberia" },
        { "LS", "Lesotho" }, { "LT", "Lithuania" }, { "LU", "Luxembourg" }, { "LV", "Latvia" },
        { "LY", "Libya" }, { "MA", "Morocco" }, { "MC", "Monaco" }, { "MD", "Moldova" },
        { "MD", "Moldova, Republic of" }, { "ME", "Montenegro" }, { "MF", "Saint Martin (French part)" },
        { "MG", "Madagascar" }, { "MH", "Marshall Islands" }, { "MK", "Macedonia" },
        { "MK", "North Macedonia" }, { "ML", "Mali" }, { "MM", "Burma" }, { "MM", "Myanmar" },
        { "MN", "Mongolia" }, { "MO", "Macao" }, { "MO", "Macao SAR" },
        { "MP", "Northern Mariana Islands" }, { "MQ", "Martinique" }, { "MR", "Mauritania" },
        { "MS", "Montserrat" }, { "MT", "Malta" }, { "MU", "Mauritius" }, { "MV", "Maldives" },
        { "MW", "Malawi" }, { "MX", "Mexico" }, { "MY", "Malaysia" }, { "MZ", "Mozambique" },
        { "NA", "Namibia" }, { "NC", "New Caledonia" }, { "NE", "Niger" }, { "NF", "Norfolk Island" },
        { "NG", "Nigeria" }, { "NI", "Nicaragua" }, { "NL", "Holland" }, { "NL", "Netherlands" },
        { "NO", "Norway" }, { "NP", "Nepal" }, { "NR", "Nauru" }, { "NU", "Niue" }, { "NZ", "New Zealand" },
        { "OM", "Oman" }, { "PA", "Panama" }, { "PE", "Peru" }, { "PF", "French Polynesia" },
        { "PG", "Papua New Guinea" }, { "PH", "Philippines" }, { "PK", "Pakistan" }, { "PL", "Poland" },
        { "PM", "Saint Pierre and Miquelon" }, { "PN", "Pitcairn" }, { "PR", "Puerto Rico" },
        { "PS", "Palestine" }, { "PS", "Palestine, State of" }, { "PT", "Portugal" }, { "PW", "Palau" },
        { "PY", "Paraguay" }, { "QA", "Qatar" }, { "RE", "Réunion" }, { "RO", "Romania" },
        { "RS", "Serbia" }, { "RU", "Russia" }, { "RU", "Russian Federation" }, { "RW", "Rwanda" },
        { "SA", "Saudi Arabia" }, { "SB", "Solomon Islands" }, { "SC", "Seychelles" }, { "SD", "Sudan" },
        { "SE", "Sweden" }, { "SG", "Singapore" }, { "SH", "Saint Helena" },
        { "SH", "Saint Helena, Ascension and Tristan da Cunha" }, { "SI", "Slovenia" },
        { "SJ", "Svalbard and Jan Mayen" }, { "SK", "Slovakia" }, { "SL", "Sierra Leone" },
        { "SM", "San Marino" }, { "SN", "Senegal" }, { "SO", "Somalia" }, { "SR", "Suriname" },
        { "SS", "South Sudan" }, { "ST", "Sao Tome and Principe" }, { "SV", "El Salvador" },
        { "SX", "Sint Maarten (Dutch part)" }, { "SY", "Syria" }, { "SY", "Syrian Arab Republic" },
        { "SZ", "Eswatini" }, { "SZ", "Swaziland" }, { "TC", "Turks and Caicos Islands" }, { "TD", "Chad" },
        { "TF", "French Southern Territories" }, { "TG", "Togo" }, { "TH", "Thailand" },
        { "TJ", "Tajikistan" }, { "TK", "Tokelau" }, { "TL", "Timor-Leste" }, { "TM", "Turkmenistan" },
        { "TN", "Tunisia" }, { "TO", "Tonga" }, { "TR", "Turkey" }, { "TR", "Türkiye" },
        { "TT", "Trinidad and Tobago" }, { "TV", "Tuvalu" }, { "TW", "Taiwan" },
        { "TW", "Taiwan, Province of China" }, { "TZ", "Tanzania" },
        { "TZ", "Tanzania, United Republic of" }, { "UA", "Ukraine" }, { "UG", "Uganda" },
        { "UM", "United States Minor Outlying Islands" }, { "US", "USA" }, { "US", "United States" },
        { "US", "United States of America" }, { "UY", "Uruguay" }, { "UZ", "Uzbekistan" },
        { "VA", "Holy See (Vatican City State)" }, { "VA", "Vatican" },
        { "VC", "Saint Vincent and the Grenadines" }, { "VE", "Venezuela" },
        { "VE", "Venezuela, Bolivarian Republic of" }, { "VG", "British Virgin Islands" },
        { "VG", "Virgin Islands, British" }, { "VI", "US Virgin Islands" },
        { "VI", "Virgin Islands, U.S." }, { "VN", "Viet Nam" }, { "VN", "Vietnam" }, { "VU", "Vanuatu" },
        { "WF", "Wallis and Futuna" }, { "WS", "Samoa" }, { "XK", "Kosovo" }, { "YE", "Yemen" },
        { "YT", "Mayotte" }, { "ZA", "South Africa" }, { "ZM", "Zambia" }, { "ZW", "Zimbabwe" },
};

static bool known(const char code[3]) {
        for (size_t i = 0; i < ELEMENTSOF(countries); i++)
                if (strcmp(countries[i].code, code) == 0)
                        return true;
        return false;
}

static char upper(char c) {
        return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

int country_check(Arena *a, const char *field, const char **text, Problem *ret) {
        const char *s = *text;
        char code[3] = {};

        while (*s == ' ' || *s == '\t')
                s++;
        size_t n = strlen(s);
        while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
                n--;
        if (n == 2)
                code[0] = upper(s[0]), code[1] = upper(s[1]);
        if (strcmp(code, "UK") == 0 || strcmp(code, "EL") == 0)
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-country", field, "%s is no ISO 3166-1 code: the code of %s is %s", code,
                                   *code == 'U' ? "the United Kingdom" : "Greece", *code == 'U' ? "GB" : "GR");
        if (n != 2 || !known(code))
                return problem_set(ret, PROBLEM_INVALID_ARGUMENT, "unknown-country", field,
                                   "%s must be a two-letter ISO 3166-1 code such as DE, not \"%.60s\"", field, *text);
        *text = arena_strdup(a, code);
        return 0;
}

const char *country_from_name(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(countries); i++)
                if (strcasecmp(countries[i].name, name) == 0)
                        return countries[i].code;
        return NULL;
}
