#!/usr/bin/env escript
%% fetch.escript URL...: GETs each URL by httpc, prints the bodies. Ends with 3 when the network refuses.

-mode(compile).

main(Urls) ->
    {ok, _} = application:ensure_all_started(inets),
    lists:foreach(fun fetch/1, Urls).

fetch(Url) ->
    case httpc:request(get, {Url, []}, [{timeout, 20000}], [{body_format, binary}]) of
        {ok, {{_, 200, _}, _, Body}} ->
            io:put_chars(Body);
        {error, Reason} ->
            io:format("refused: ~p~n", [Reason]),
            halt(3)
    end.
