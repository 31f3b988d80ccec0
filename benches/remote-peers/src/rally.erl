%% A ball between two nodes: `serve` plays back what comes until the end of its standard input, `play` keeps some under way.
-module(rally).
-export([serve/0, play/3]).

serve() ->
    register(echo, spawn(fun echo/0)),
    io:format("ready~n"),
    io:get_line(""),
    halt(0).

echo() ->
    receive
        {who, From} -> From ! {echo, self()}, echo();
        {From, Ball} -> From ! Ball, echo()
    end.

play(Node, Window, Rounds) ->
    {echo, Node} ! {who, self()},
    receive {echo, Echo} -> ok end,
    Began = erlang:monotonic_time(nanosecond),
    serve_first(Echo, 0, min(Window, Rounds)),
    rally(Echo, min(Window, Rounds), 0, Rounds),
    io:format("~b~n", [erlang:monotonic_time(nanosecond) - Began]),
    halt(0).

serve_first(_, Window, Window) -> ok;
serve_first(Echo, Number, Window) ->
    Echo ! {self(), <<Number:64/little, 0:448>>},
    serve_first(Echo, Number + 1, Window).

rally(_, _, Rounds, Rounds) -> ok;
rally(Echo, Sent, Back, Rounds) ->
    receive
        %% Another number than the next ends the node with an error.
        <<Back:64/little, _/binary>> when Sent < Rounds ->
            Echo ! {self(), <<Sent:64/little, 0:448>>},
            rally(Echo, Sent + 1, Back + 1, Rounds);
        <<Back:64/little, _/binary>> ->
            rally(Echo, Sent, Back + 1, Rounds);
        Other ->
            io:format(standard_error, "wrong ball: ~p after ~b~n", [Other, Back]),
            halt(1)
    end.
