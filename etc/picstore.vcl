# picstore.vcl - what the one public port does with a request.
#
#     GET, HEAD /<id>, /download.fcgi/<id>   looked up by id alone, else fetched and kept
#     POST      /upload.cgi                  piped to the gateway
#     PURGE     /<id>                        from `purgers` alone: everything tagged with
#                                            the id goes, or with the keys in xkey-purge
#     anything else                          400 or 405, told here
#
# What differs between installations stands in a second file, which "picstore up"
# writes as RUN/picstore-local.vcl and which varnishd is started with (-f).  It names
# the gateway and who may purge, and includes this file at its end:
#
#     vcl 4.1;
#     probe gateway_probe {
#             .request = "GET / HTTP/1.1" "Host: probe" "Connection: close";
#             .expected_response = 404;       # lighttpd's own answer to "/"
#             .interval = 300ms; .timeout = 1s; .window = 4; .threshold = 3; .initial = 3;
#     }
#     backend gateway {
#             .path = "/run/picstore/gateway.sock";  # or .host and .port, which costs more
#             .probe = gateway_probe;
#             .connect_timeout = 2s; .first_byte_timeout = 60s; .between_bytes_timeout = 30s;
#             .max_connections = 1000;
#     }
#     backend uploads {
#             # The same again.  Each upload has a connection for as long as its client
#             # pleases: those that dawdle can use up these, and not those of downloads.
#     }                                 # "picstore up" makes a director of 16 more, one for
#                                       # each sixteenth of the clients' addresses, and has
#                                       # vcl_pipe choose: who dawdles uses up one of them
#     acl purgers { "127.0.0.1"; "::1"; }
#     include "/usr/local/etc/picstore/picstore.vcl";
#
# A hit passes one regular expression (two and a substitution when its URL has the
# long form or a query); the rest of this file is for what is rare.

vcl 4.1;

import std;
import vsthrottle;
import xkey;

sub vcl_recv {
	unset req.http.X-Picture-Name;
	if (req.method != "GET" && req.method != "HEAD") {
		call other_method;
	}
	if (req.url !~ "^/[A-Za-z0-9]{1,16}/M[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}/[A-Za-z0-9_-]{27}[A-Za-z0-9._-]{7,90}$") {
		call other_spelling;
	}
	if (req.http.Range) {
		call one_range;
	}
	return (hash);
}

# One range is answered with 206.  Several, backward ones and what is malformed get the
# whole picture; Varnish by itself would answer 416.
sub one_range {
	set req.http.Range = regsub(req.http.Range, "[0-9]{16,}(?=-|$)", "999999999999999");
	set req.http.Range = regsub(req.http.Range, "-[0-9]{16,}$", "-999999999999999");
	if (req.method != "GET" || req.http.Range !~ "^[Bb][Yy][Tt][Ee][Ss]=(?:[0-9]{1,15}-(?:[0-9]{1,15})?|-[0-9]{1,15})$" ||
	    std.integer(regsub(req.http.Range, "^.*=(.+)-.*$", "\1"), 0) >
	    std.integer(regsub(req.http.Range, "^.*-(.+)$", "\1"), 999999999999999)) {
		unset req.http.Range;
	}
}

# The long form and the short one, with a query or without, are one entry.
sub other_spelling {
	if (req.url !~ "^(?:/download\.fcgi)?/[A-Za-z0-9]{1,16}/M[0-9A-F]{2}/[0-9A-F]{2}/[0-9A-F]{2}/[A-Za-z0-9_-]{27}(?:[A-Za-z0-9._-]{7,90}|[0-9]{0,5}[A-Za-z_-][A-Za-z0-9._-]{0,5})(?:\?|$)") {
		if (req.url ~ "^/upload\.cgi(?:\?|$)" && req.method != "PURGE") {
			return (synth(405, "POST"));
		}
		return (synth(400, "bad_id"));
	}
	if (req.url ~ "[?&]name=") {
		call picture_name;
	}
	set req.url = regsub(req.url, "^(?:/download\.fcgi)?(/[^?]*).*$", "\1");
}

# The file name for Content-Disposition, still percent-encoded, if all of it is UTF-8
# without control characters, slashes, double quotes and what turns the direction of text
# (U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069).  What forms leave bare, but
# RFC 8187 does not allow, is escaped.  A name that is anything else is ignored.
# download.fcgi has the same rule (src/delivery/target.c).
sub picture_name {
	set req.http.X-Picture-Name = regsub(req.url, "^.*?[?&]name=([^&]*).*$", "\1");
	# Its length first: with one that is much longer the whole request would fail, for want
	# of workspace or because an expression costs too much.
	if (req.http.X-Picture-Name ~ "^.{766}") {
		unset req.http.X-Picture-Name;
	}
	set req.http.X-Picture-Name = regsuball(req.http.X-Picture-Name, "\+", "%20");
	set req.http.X-Picture-Name = regsuball(req.http.X-Picture-Name, "'", "%27");
	set req.http.X-Picture-Name = regsuball(req.http.X-Picture-Name, "\(", "%28");
	set req.http.X-Picture-Name = regsuball(req.http.X-Picture-Name, "\)", "%29");
	set req.http.X-Picture-Name = regsuball(req.http.X-Picture-Name, "\*", "%2A");
	if (req.http.X-Picture-Name ~ "^.{766}" ||
	    req.http.X-Picture-Name !~ "^(?:[A-Za-z0-9._~!-]|%(?:2[013-9A-Ea-e]|[346][0-9A-Fa-f]|5[0-9ABD-Fabd-f]|7[0-9A-Ea-e]|[Cc]2%[ABab][0-9A-Fa-f]|[Cc][3-9A-Fa-f]%[89ABab][0-9A-Fa-f]|[Dd][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|[Ee]0%[ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|[Ee][1-9A-CEFa-cef]%[89ABab][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|[Ee][Dd]%[89][0-9A-Fa-f]%[89ABab][0-9A-Fa-f]|[Ff]0%[9ABab][0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2}|[Ff][1-3](?:%[89ABab][0-9A-Fa-f]){3}|[Ff]4%8[0-9A-Fa-f](?:%[89ABab][0-9A-Fa-f]){2}))+$" ||
	    req.http.X-Picture-Name ~ "(?i)%d8%9c|%e2%80%(?:8[ef]|a[89a-e])|%e2%81%a[6-9]") {
		unset req.http.X-Picture-Name;
	}
}

sub other_method {
	if (req.method == "POST") {
		if (req.url !~ "^/upload\.cgi(?:\?|$)") {
			return (synth(405, "GET, HEAD"));
		}
		set req.backend_hint = uploads;
		# A pipe to a gateway that is down would be closed without a word.
		if (!std.healthy(req.backend_hint)) {
			return (synth(503, "store_down"));
		}
		set req.http.X-Forwarded-For = client.ip;
		return (pipe);
	}
	if (req.method != "PURGE") {
		return (synth(405, "GET, HEAD"));
	}
	if (client.ip !~ purgers) {
		return (synth(403, "not_allowed"));
	}
	if (req.http.xkey-purge) {
		set req.http.X-Purge = req.http.xkey-purge;
	} else {
		call other_spelling;
		set req.http.X-Purge = regsub(req.url, "^/", "");
	}
	# First the mark, then the objects: at once and for good, so that nothing is left to
	# serve in grace.  The mark is a token that is gone for a minute.  It is on a shelf, three
	# characters of the id that tell its place, not on the id: vsthrottle remembers
	# what it was asked for, and that would be every picture that was ever missed.
	set req.http.X-Shelf = regsub(req.http.X-Purge, "^.*/.{13}(.{3}).*$", "\1");
	if (vsthrottle.is_denied(req.http.X-Shelf, 1, 60s)) {
		# There is a mark already: this minute begins now.
		vsthrottle.return_token(req.http.X-Shelf, 1, 60s);
		if (vsthrottle.is_denied(req.http.X-Shelf, 1, 60s)) {
			std.log("somebody else has renewed the mark");
		}
	}
	set req.http.X-Purged = xkey.purge(req.http.X-Purge);
	return (synth(200, "purged"));
}

# An id means the same under every host name.
sub vcl_hash {
	hash_data(req.url);
	return (lookup);
}

sub vcl_pipe {
	# One request a connection: what follows on it would never be looked up.
	set bereq.http.Connection = "close";
	return (pipe);
}

sub vcl_miss {
	# Only this address is known to be true.
	set req.http.X-Forwarded-For = client.ip;
}

sub vcl_backend_fetch {
	unset bereq.body;
	# A miss is answered as a hit would be, whatever else the client sent: lighttpd is
	# particular about host names.
	set bereq.http.Host = "picstore";
	unset bereq.http.Cookie;
	unset bereq.http.Authorization;
	unset bereq.http.X-Picture-Name;
	# To CGI a client's "If.None.Match" or "If_Modified_Since" is the same as the real one,
	# and the answer would be a 304 that nobody here asked for.  A tag that no picture
	# has, as the last header, overrules them.
	if (!bereq.http.If-None-Match) {
		set bereq.http.If-None-Match = {""""};
	}
	return (fetch);
}

sub vcl_backend_response {
	unset beresp.http.Set-Cookie;
	if (beresp.status >= 500 && bereq.is_bgfetch) {
		return (abandon); # the old object stays
	}
	if (beresp.status == 410) {
		set beresp.ttl = 60s; # no id is given out twice
		set beresp.grace = 0s;
		set beresp.keep = 0s;
		return (deliver);
	}
	# Errors are not kept, and nobody queues up behind one.  A picture that was purged
	# while it was on its way is from before its deletion: it is not kept either.
	if (beresp.status != 200 ||
	    vsthrottle.remaining(regsub(bereq.url, "^.*/.{13}(.{3}).*$", "\1"), 1, 60s) < 1) {
		set beresp.uncacheable = true;
		set beresp.ttl = 1s;
		set beresp.grace = 0s;
		set beresp.keep = 0s;
		if (beresp.status >= 400 && !beresp.http.Cache-Control) {
			set beresp.http.Cache-Control = "no-store"; # lighttpd's own
		}
		if (beresp.status == 503) {
			set beresp.http.Retry-After = "5";
		}
		return (deliver);
	}
	# For when the gateway is down.  Pictures live a year, what may change a minute.
	set beresp.grace = 1h;
	set beresp.keep = 1h;
	# What is private or for one client only is dealt with by the built-in rules.
}

sub vcl_backend_error {
	if (bereq.is_bgfetch) {
		return (abandon);
	}
	set beresp.http.Content-Type = "application/json";
	set beresp.http.Cache-Control = "no-store";
	set beresp.http.Retry-After = "5";
	set beresp.body = """{"result":"fail","error":"store_down","message":"the store cannot be reached; try again later"}
""";
	return (deliver);
}

sub vcl_deliver {
	if (obj.hits > 0 && !obj.uncacheable) {
		set resp.http.X-Cache = "HIT";
	} else {
		set resp.http.X-Cache = "MISS";
		# A PURGE that came between vcl_backend_response and now found nothing yet.
		if (resp.status == 200 || resp.status == 206 || resp.status == 304) {
			call purged_meanwhile;
		}
	}
	if (client.ip !~ purgers) {
		unset resp.http.xkey;
	}
	unset resp.http.Via;
	# Varnish compares with one tag and knows neither lists nor the star.
	if (req.http.If-None-Match && (req.http.If-None-Match == "*" ||
	    std.strstr(req.http.If-None-Match, resp.http.ETag))) {
		set req.http.If-None-Match = resp.http.ETag;
	}
	if (req.http.Range && resp.status == 200 &&
	    !req.http.If-None-Match && !req.http.If-Modified-Since && (!req.http.If-Range ||
	    req.http.If-Range == resp.http.ETag || req.http.If-Range == resp.http.Last-Modified)) {
		call outside;
	}
	if (req.http.X-Picture-Name && (resp.status == 200 || resp.status == 206)) {
		set resp.http.Content-Disposition =
		    "attachment; filename*=UTF-8''" + req.http.X-Picture-Name;
	}
	return (deliver);
}

# Varnish's own 416 would carry what caches are to do with the picture.
sub outside {
	if (req.http.Range ~ "=-0+$" || std.integer(regsub(req.http.Range, "^.*=(.*)-.*$", "\1"), 0) >=
	    std.integer(resp.http.Content-Length, 999999999999999)) {
		set req.http.X-Size = resp.http.Content-Length;
		return (synth(416));
	}
}

# A fetch may have read a picture before it was deleted and enter it into the cache
# after the purge.  So a purge leaves a mark for a minute, and who fetches looks for it
# before and after the object is entered.
sub purged_meanwhile {
	if (vsthrottle.remaining(regsub(req.url, "^.*/.{13}(.{3}).*$", "\1"), 1, 60s) < 1) {
		set req.http.X-Purged = xkey.purge(regsub(req.url, "^/", ""));
	}
}

sub vcl_synth {
	set resp.http.Content-Type = "application/json";
	set resp.http.Cache-Control = "no-store";
	set resp.http.X-Content-Type-Options = "nosniff";
	if (resp.status == 200 && resp.reason == "purged") {
		set resp.reason = "OK";
		set resp.body = """{"result":"success","purged":""" + req.http.X-Purged + """}
""";
	} elseif (resp.status == 400 && resp.reason == "bad_id") {
		set resp.reason = "Bad Request";
		set resp.body = """{"result":"fail","error":"bad_id","message":"that is not the id of a picture"}
""";
	} elseif (resp.status == 403) {
		set resp.reason = "Forbidden";
		set resp.body = """{"result":"fail","error":"not_allowed","message":"this caller may not do that"}
""";
	} elseif (resp.status == 405) {
		set resp.http.Allow = resp.reason;
		set resp.reason = "Method Not Allowed";
		set resp.body = """{"result":"fail","error":"bad_method","message":"that method is not allowed here"}
""";
	} elseif (resp.status == 416) {
		set resp.reason = "Range Not Satisfiable";
		set resp.http.Content-Range = "bytes */" + req.http.X-Size;
		set resp.body = """{"result":"fail","error":"bad_request","message":"the range is outside of the picture"}
""";
	} elseif (resp.status == 503) {
		set resp.reason = "Service Unavailable";
		set resp.http.Retry-After = "5";
		set resp.body = """{"result":"fail","error":"store_down","message":"the store cannot be reached; try again later"}
""";
	} else {
		set resp.body = """{"result":"fail","error":"bad_request","message":"the request cannot be answered"}
""";
	}
	return (deliver);
}
